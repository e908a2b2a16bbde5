"""What is reported after a deploy, to whom, at what cost, and that no secret is in it."""

import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
import urllib.parse

import porter
from porter import OK

CANARY = "c4n4ry-4nd-n0b0dy-m4y-r34d-1t"
FIELDS = {"packages", "buildout_config", "versionmap", "pinned_versions", "started", "finished", "hostname", "ipv4"}


class Inventory:
    """Takes reports; answers after `delay` seconds with `status`."""

    def __init__(self, status=200, answer=b"Added information", delay=0.0):
        self.forms, self.paths = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.paths.append(self.path)
                form = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
                outer.forms.append((self.headers["Content-Type"], form))
                outer.released.wait(delay)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.released = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def payloads(self):
        return [json.loads(form["data"][0]) for _, form in self.forms]


class Report(porter.Case):
    def inventory(self, **options):
        made = Inventory(**options)
        self.addCleanup(made.close)
        return made

    def reporting(self, url, more="", modules=("app",)):
        section = "[plugin:porter.plugins.sendpickedversions]\n%s\n%s" % (
            "send-data-url = " + url if url is not None else "", more)
        self.project(modules, **{module: section for module in modules})

    def test_one_form_a_module_and_host_with_exactly_the_known_fields(self):
        inventory = self.inventory()
        self.reporting(inventory.url + "/reports", "buildoutname = shop")
        self.write("project/app/src/requirements.txt", "Django==3.2.1\nrequests>=2.0\n# no\n")
        self.deploy("--config", "here")
        ((kind, form),) = inventory.forms
        self.assertEqual(kind, "application/x-www-form-urlencoded")
        self.assertEqual(list(form), ["data"])
        self.assertEqual(inventory.paths, ["/reports/"])
        (payload,) = inventory.payloads()
        self.assertEqual(set(payload), FIELDS)
        self.assertEqual(payload["buildout_config"]["buildoutname"], "shop")
        self.assertEqual(payload["buildout_config"]["directory"], str(self.current()))
        self.assertEqual(payload["packages"]["Django"], {"requirements": [], "version": "3.2.1"})
        self.assertEqual(payload["versionmap"]["Django"], "3.2.1")
        self.assertEqual(payload["pinned_versions"], {"Django": "3.2.1"})
        self.assertIn("app", payload["packages"])
        self.assertEqual(payload["hostname"], socket.gethostname())
        for each in payload["buildout_config"].values():
            self.assertIsInstance(each, str)
        self.assertLessEqual(payload["started"], payload["finished"])

    def test_every_module_reports_and_an_unchanged_one_does_not(self):
        inventory = self.inventory()
        self.reporting(inventory.url, modules=("app", "web"))
        self.deploy()
        names = [payload["buildout_config"]["buildoutname"] for payload in inventory.payloads()]
        self.assertEqual(sorted(names), ["app", "web"])
        self.deploy()
        self.assertEqual(len(inventory.forms), 2)
        self.deploy("--force", "web")
        self.assertEqual(len(inventory.forms), 3)

    def test_without_a_url_it_is_printed_and_a_file_is_written(self):
        self.reporting(None)
        result = self.deploy()
        self.assertEqual(set(json.loads(result.out)), FIELDS)
        file = self.folder / "reports/out.json"
        file.parent.mkdir()
        self.reporting("file://%s" % file)
        self.assertEqual(self.deploy().out, "")
        self.assertEqual(set(json.loads(file.read_text())), FIELDS)

    def test_the_target_reports_for_itself(self):
        elsewhere = "unshare --uts -- sh -c 'hostname far-away; eval \"$SSH_ORIGINAL_COMMAND\"'"
        server = self.sshd(extra=["ForceCommand " + elsewhere])
        works = subprocess.run(["unshare", "--uts", "--", "hostname", "far-away"], stdin=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL).returncode == 0
        porter.need(works, "no UTS namespace for a host name of its own")
        inventory = self.inventory()
        self.ssh_config("there", server)
        self.reporting(inventory.url)
        self.write("project/project.ini", "[project]\nname = Test\ndepends = app\n[hosts]\nhere = there\n")
        self.deploy()
        self.assertEqual(inventory.payloads()[0]["hostname"], "far-away")

    # --- servers that misbehave cost two seconds at most, and never the deploy ---

    def seconds_without(self):
        self.project()
        seconds = self.deploy().seconds
        porter.shutil.rmtree(self.site())
        return seconds

    def assert_cheap(self, url, said):
        alone = self.seconds_without()
        self.reporting(url, modules=("app", "web"))
        result = self.deploy(code=OK)
        self.assertLess(result.seconds - alone, 4.0, result)
        self.assertIn(said, result.err)
        self.assertTrue((self.current() / "file.txt").is_file())

    def test_a_dead_server(self):
        self.assert_cheap("http://127.0.0.1:%d/" % porter.free_port(), "report not delivered")

    def test_a_slow_server(self):
        self.assert_cheap(self.inventory(delay=30).url, "report not delivered")

    def test_a_server_that_accepts_and_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.assert_cheap("http://127.0.0.1:%d/" % silent.getsockname()[1], "report not delivered")

    def test_a_server_that_refuses(self):
        self.assert_cheap(self.inventory(status=500, answer=b"the disk is full").url, "the disk is full")
        self.assert_cheap(self.inventory(answer=b"Adding information failed: no data").url, "Adding information failed")

    # --- secrets ---

    def test_no_secret_is_in_report_log_journal_events_or_seal(self):
        inventory = self.inventory()
        url = inventory.url.replace("http://", "http://user:%s@" % CANARY)
        self.reporting(url)
        self.secret_plugin()
        with open(self.directory / "app/app.ini", "a") as ini:
            ini.write("[plugin:acme.vault]\npassword = %s\napi_token = %s\nplain = visible\n"
                      "database = postgres://me:%s@db/x\n" % (CANARY, CANARY, CANARY))
        result = self.deploy_json("-v")
        (payload,) = inventory.payloads()
        text = json.dumps(payload)
        self.assertIn("visible", text)
        self.assertIn("plugin:acme.vault.password", payload["buildout_config"])
        self.assertNotIn(CANARY, text)
        self.assertNotIn(CANARY, result.out + result.err)
        self.assert_no_canary()
        # Neither does a server that is down make the address known.
        inventory.close()
        with open(self.directory / "app/src/file.txt", "w") as file:
            file.write("2")
        result = self.deploy()
        self.assertIn("report not delivered", result.err)
        self.assertNotIn(CANARY, result.out + result.err)
        self.assert_no_canary()

    def assert_no_canary(self):
        """Nowhere but in the project's own files."""
        looked = 0
        for top in (self.home, self.target):
            for base, _, files in os.walk(top):
                for name in files:
                    path = pathlib.Path(base) / name
                    looked += 1
                    self.assertNotIn(CANARY.encode(), path.read_bytes(), path)
        self.assertGreater(looked, 3)

    def secret_plugin(self):
        self.compile_plugin("acme.vault", """#include <porter/porter.h>
            namespace { class Secret : public porter::Plugin {
              void register_signal_handlers(porter::Module& module) override {
                module.push_signal_handler(porter::SIG_SOURCE_POST_SEND, [](porter::Module& m) {
                  if (m.get_config_value("plugin:acme.vault", "password", "") != "%s")
                    throw std::runtime_error("plugins are given what is written");
                });
              }
            }; }
            PORTER_PLUGIN(Secret, "acme.vault", "1", "holds secrets")
            PORTER_OPTION("password", secret, "", "declared as secret")
            PORTER_OPTION("api_token", text, "", "secret by its name")
            PORTER_OPTION("database", url, "", "a secret within")
            PORTER_OPTION("plain", text, "", "no secret")""" % CANARY)
        with open(self.directory / "project.ini", "a") as ini:
            ini.write("[plugins]\npath = plugins\n")


if __name__ == "__main__":
    porter.main()
