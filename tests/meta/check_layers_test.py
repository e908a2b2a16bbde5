"""scripts/check-layers.py finds planted faults: a copy of the sources, one fault in each test."""

import importlib.util
import shutil
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

spec = importlib.util.spec_from_file_location("check_layers", ROOT / "scripts" / "check-layers.py")
check_layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layers)


class Planted(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name) / "checkout"
        for folder in ("core", "plugins", "sdk", "tests/support", "tests/unit"):
            shutil.copytree(ROOT / folder, self.root / folder)

    def faults(self):
        return check_layers.Check(self.root).run()

    def plant(self, name, line):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if path.exists() else ""
        path.write_text(line + "\n" + before)

    def assert_found(self, *pieces):
        found = self.faults()
        self.assertTrue(any(all(piece in fault for piece in pieces) for fault in found),
                        f"none of {found} holds {pieces}")

    def test_the_copy_itself_is_without_faults(self):
        self.assertEqual(self.faults(), [])

    def test_a_room_that_looks_up(self):
        self.plant("core/base/text.cc", '#include "core/settings/ini.h"')
        self.assert_found("core/base/text.cc:1:", "must not use core/settings")

    def test_a_room_that_looks_sideways(self):
        self.plant("core/event/codec.cc", '#include "core/bus/bus.h"')
        self.assert_found("core/event/codec.cc:1:", "must not use core/bus")

    def test_an_agent_that_learns_http_or_ini(self):
        self.plant("core/agent/planted.cc", '#include "core/settings/ini.h"')
        self.assert_found("core/agent/planted.cc:1:", "must not use core/settings")

    def test_a_room_nobody_planned(self):
        self.plant("core/cellar/cellar.cc", '#include "core/base/text.h"')
        self.assert_found("core/cellar/cellar.cc:1:", "has no floor")

    def test_a_link_that_looks_up(self):
        self.plant("core/http/CMakeLists.txt", "target_link_libraries(porter_http PRIVATE porter_inventory)")
        self.assert_found("core/http/CMakeLists.txt:1:", "must not use core/inventory")

    def test_core_that_knows_a_plugin(self):
        self.plant("core/inventory/payload.cc", '#include "plugins/sendpickedversions/report.h"')
        self.assert_found("core/inventory/payload.cc:1:", "must not use plugins")

    def test_a_plugin_that_reaches_into_the_host(self):
        self.plant("plugins/sendpickedversions/report.cc", '#include "core/settings/project.h"')
        self.assert_found("plugins/sendpickedversions/report.cc:1:", "not core/settings/project.h")

    def test_a_plugin_that_uses_another(self):
        self.plant("plugins/other/other.cc", '#include "plugins/sendpickedversions/report.h"')
        self.assert_found("plugins/other/other.cc:1:", "another plugin")

    def test_an_sdk_that_needs_more_than_the_standard_library(self):
        for line in ("#include <boost/signals2.hpp>", "#include <fmt/format.h>", '#include "core/base/text.h"'):
            with self.subTest(line):
                self.plant("sdk/include/porter/tools.h", line)
                self.assert_found("sdk/include/porter/tools.h:1:", "standard library")

    def test_each_library_that_is_no_longer_used(self):
        for job, folder, include, *_ in check_layers.JOBS:
            with self.subTest(job):
                self.setUp()
                for path in (self.root / folder).rglob("*"):
                    if path.suffix in check_layers.SOURCE:
                        path.write_text(path.read_text().replace("#include <", "// #include <"))
                once = check_layers.JOBS[[one[0] for one in check_layers.JOBS].index(job)][5]
                if once and not (self.root / once).exists():
                    self.plant(once, "// its own protocol")
                self.assert_found(folder + ":", "no longer stands on its library")

    def test_a_library_included_and_not_used(self):
        path = self.root / "core/http/client.cc"
        path.write_text('#include <curl/curl.h>\n// curl_easy_init()\n')
        self.assert_found("core/http:", "no longer stands on its library")

    def test_a_library_outside_its_room(self):
        self.plant("core/base/text.cc", "#include <curl/curl.h>")
        self.plant("tests/unit/base/text_test.cc", "#include <catch2/catch.hpp>")
        self.assert_found("core/base/text.cc:1:", "core/http alone")
        self.assert_found("tests/unit/base/text_test.cc:1:", "tests/support alone")

    def test_json_in_a_header(self):
        self.plant("core/inventory/payload.h", "#include <nlohmann/json.hpp>")
        self.assert_found("core/inventory/payload.h:1:", "json_fwd")

    def test_no_test_case_left(self):
        shutil.rmtree(self.root / "tests/unit")
        self.assert_found("no test case is left")

    def test_unfinished_work(self):
        for word in ("TO" "DO", "FIX" "ME"):
            with self.subTest(word):
                self.plant("plugins/sendpickedversions/report.cc", f"// {word}: later")
                self.assert_found("plugins/sendpickedversions/report.cc:1:", word)

    def test_paths_of_one_machine(self):
        places = [f"{self.root}/core", "/ho" "me/kim/porter", "/ro" "ot/porter", "/tm" "p/porter.log"]
        for place in places:
            with self.subTest(place):
                self.plant("core/base/text.cc", f'// see "{place}"')
                self.assert_found("core/base/text.cc:1:", "a path of one machine")

    def test_documents_are_checked_too(self):
        self.plant("docs/x.md", "/ho" "me/kim/porter")
        self.assert_found("docs/x.md:1:", "a path of one machine")


if __name__ == "__main__":
    unittest.main()
