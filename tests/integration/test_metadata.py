"""What files are beside their content: kinds that cannot be deployed."""

import os
import socket

import porter
from porter import OK, USAGE


class SpecialFiles(porter.Case):
    def setUp(self):
        super().setUp()
        self.project()
        self.source = self.directory / "app/src"
        os.mkfifo(self.source / "a\tpipe")
        (self.source / "run").mkdir()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.source / "run/app.sock"))

    def test_pipes_and_sockets_are_refused_by_name_before_anything_is_contacted(self):
        result = self.deploy(code=USAGE)
        self.assertIn("error[P440]", result.err)
        self.assertIn(r"a\x09pipe (pipe), run/app.sock (socket)", result.err)
        self.assertIn("special = skip", result.err)
        self.assertEqual(os.listdir(self.target), [])

    def test_excluded_ones_do_not_count_and_a_build_does_not_mind_them(self):
        self.ini("exclude = *pipe, *.sock\nbuild = touch built")
        self.deploy(code=OK)
        self.assertEqual(sorted(porter.tree(self.current(), times=False)), [b"built", b"file.txt", b"run"])

    def test_all_may_be_left_out_and_one_that_comes_is_no_change(self):
        self.ini("special = skip\nbuild = touch built")
        self.deploy(code=OK)
        self.assertEqual(sorted(porter.tree(self.current(), times=False)), [b"built", b"file.txt", b"run"])
        os.mkfifo(self.source / "run/another")
        self.assertIn("unchanged", self.deploy().err)


if __name__ == "__main__":
    porter.main()
