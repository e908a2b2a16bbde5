"""A third party's plugin, built with nothing but an installed SDK, in the whole program: its argument is in
the help and does something, its options are checked, and without running any of its code where it must not."""

import os
import shutil
import subprocess

import porter
from porter import OK, PLUGIN_REFUSED, USAGE

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(acme-audit LANGUAGES CXX)
find_package(porter-sdk REQUIRED)
porter_add_plugin(acme.audit SOURCES acme_audit.cc)
"""


class Prefix(porter.Case):
    def setUp(self):
        super().setUp()
        self.project(app="[plugin:acme.audit]\nfile = %s/audit.txt\n" % self.folder)

    def build(self, compiler):
        prefix, build = self.folder / "prefix", self.folder / compiler
        if not prefix.exists():
            self.tool(porter.CMAKE, "--install", porter.BUILD, "--prefix", prefix, "--component", "sdk")
        self.write("source/CMakeLists.txt", PROJECT)
        shutil.copy(porter.SOURCE / "tests/fixtures/plugins/acme_audit.cc", self.folder / "source")
        flags = "-fsanitize=" + os.environ["PORTER_SANITIZE"] if porter.SANITIZED else ""
        self.tool(porter.CMAKE, "-G", "Ninja", "-S", self.folder / "source", "-B", build, "-DCMAKE_PREFIX_PATH=%s" % prefix,
                  "-DCMAKE_CXX_COMPILER=" + compiler, "-DCMAKE_CXX_FLAGS=" + flags)
        self.tool(porter.CMAKE, "--build", build)
        # Only the plugin path can find it, and only this one file.
        folder = self.folder / ("plugins-" + compiler)
        folder.mkdir()
        shutil.move(build / "acme.audit.so", folder)
        shutil.rmtree(build)
        return folder

    def tool(self, *arguments):
        done = subprocess.run(list(map(str, arguments)), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_without_it_the_deploy_is_refused_and_its_argument_unknown(self):
        result = self.deploy(code=USAGE)
        self.assertIn("acme.audit", result.err)
        self.assertNotIn("--audit-note", self.run_admin("deploy", "--help", code=OK).out)

    def test_built_by_gcc_it_is_loaded_and_adds_an_argument(self):
        self.from_compiler("g++")

    def test_built_by_clang_it_is_loaded_and_adds_an_argument(self):
        self.from_compiler("clang++")

    def from_compiler(self, compiler):
        porter.need(shutil.which(compiler), "no %s on this machine" % compiler)
        porter.need(compiler == "g++" or not porter.SANITIZED, "sanitizers' run-time libraries do not mix")
        self.whole_program(self.build(compiler), compiler)

    def whole_program(self, path, compiler):
        lines = self.folder / "audit.txt"
        lines.unlink(missing_ok=True)
        shown = self.run_admin("deploy", "--plugin-path", path, "--help", code=OK).out
        self.assertIn("--audit-note", shown)
        self.assertIn("a word about this deploy", shown)
        self.assertIn("--audit-note", self.run_admin("plan", "--plugin-path", path, "--help", code=OK).out)
        self.assertIn("acme.audit", self.run_admin("plugins", "--plugin-path", path, code=OK).out)
        self.assertFalse(lines.exists())

        self.write("project/app/src/file.txt", compiler)
        self.deploy("--plugin-path", path)
        release = str(self.site() / "releases" / self.release_of())
        self.assertEqual(lines.read_text(), release + "\n")
        # Nothing changed, but an argument of a plugin asks for something to be done.
        result = self.deploy_json("--plugin-path", path, "--audit-note", "built by " + compiler)
        self.assertIn("acme.audit", [each["handler"] for each in result.events("signal_fired")])
        release = str(self.site() / "releases" / self.release_of())
        self.assertEqual(lines.read_text().splitlines()[-1], release + " built by " + compiler)
        self.assertEqual(self.deploy_json("--plugin-path", path).events("signal_fired"), [])
        # The same from the environment.
        self.assertEqual(self.deploy_json(env={"PORTER_PLUGIN_PATH": str(path)}).events("signal_fired"), [])

        self.deploy("--plugin-path", path, "--audit-nte", "x", code=USAGE)
        self.mistakes(path)

    def mistakes(self, path):
        good = (self.directory / "app/app.ini").read_text()
        for line, said in (("fiel = /x", "did you mean \"file\""), ("keep = soon", "keep"), ("file = /x", "already")):
            self.write("project/app/app.ini", good + line + "\n")
            result = self.deploy("--plugin-path", path, code=USAGE)
            self.assertIn(said, result.err)
            self.assertIn("app/app.ini:6", result.err)
        self.write("project/app/app.ini", good)

    def test_files_that_are_no_fitting_plugin_are_refused_and_run_nothing(self):
        built = porter.BUILD / "tests/plugins"
        porter.need(built.exists(), "the fixture plugins are not built")
        folder = self.folder / "plugins"
        folder.mkdir()
        whole = (built / "acme.audit.so").read_bytes()
        tried = {"acme.empty": b"", "acme.script": b"#!/bin/sh\ntouch CANARY\n", "acme.cut": whole[:len(whole) // 2],
                 "acme.other_name": whole}
        for name in ("old_abi", "debug_library", "needy", "no_entry", "no_note", "undefined"):
            tried["acme." + name] = (built / ("acme.%s.so" % name)).read_bytes()
        mark = self.folder / "code-of-it-ran"
        for name, content in tried.items():
            (folder / (name + ".so")).write_bytes(content)
            self.ini("[plugin:%s]" % name)
            with self.subTest(name):
                result = self.deploy("--plugin-path", folder, code=None, env={"PORTER_TEST_MARK": str(mark)})
                self.assertEqual(result.code, PLUGIN_REFUSED, result)
                self.assertIn(name, result.err)
                self.assertEqual(os.listdir(self.target), [])
                self.assertFalse(mark.exists(), "its code ran")

    def test_a_plugin_that_others_may_write_is_refused(self):
        path = self.build("g++" if shutil.which("g++") else "clang++")
        (path / "acme.audit.so").chmod(0o666)
        result = self.deploy("--plugin-path", path, code=PLUGIN_REFUSED)
        self.assertIn("writ", result.err)
        self.assertFalse((self.folder / "audit.txt").exists())


if __name__ == "__main__":
    porter.main()
