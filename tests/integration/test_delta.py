"""A large file that changed a little: only the change travels, counted by a relay outside of the program."""

import os

import porter

MIB = 1 << 20
SIZE = 100 * MIB


class Delta(porter.Case):
    def test_a_kibibyte_more_of_a_hundred_mebibytes_costs_less_than_one(self):
        server = self.sshd()
        relay = self.relay(server)
        self.ssh_config("there", server, relay.port)
        self.project(hosts="here = there")
        large = self.directory / "app/src/large.bin"
        with open(large, "wb") as file:
            for _ in range(SIZE // MIB):
                file.write(os.urandom(MIB))
        self.deploy()
        self.assertGreater(relay.sent, SIZE, "random data cannot be compressed: the relay counts")
        arrived = self.current() / "large.bin"
        self.assertEqual(porter.sha256(arrived), porter.sha256(large))
        first = self.release_of()
        first_sum = porter.sha256(large)

        with open(large, "ab") as file:
            file.write(os.urandom(1024))
        self.assert_cheap(relay, large, "appended")

        content = large.read_bytes()
        large.write_bytes(os.urandom(1024) + content)
        self.assert_cheap(relay, large, "inserted at the front")

        # One byte in the middle of the file, and the file under another name: neither is sent again.
        with open(large, "r+b") as file:
            file.seek(SIZE // 2)
            byte = file.read(1)
            file.seek(SIZE // 2)
            file.write(bytes([byte[0] ^ 1]))
        self.assert_cheap(relay, large, "changed in the middle")
        # What an old release holds is what it held.
        self.assertEqual(porter.sha256(self.site() / "releases" / first / "large.bin"), first_sum)
        self.assert_settled()

    def assert_cheap(self, relay, large, what):
        relay.reset()
        result = self.deploy_json()
        with self.subTest(what):
            self.assertLess(relay.total, MIB, "%d sent, %d received" % (relay.sent, relay.received))
            self.assertGreater(relay.sent, 1024)
            self.assertEqual(porter.sha256(self.current() / "large.bin"), porter.sha256(large))
            (done,) = result.events("module_finished")
            self.assertEqual((done["files_delta"], done["files_whole"]), (1, 0))
            # What the program says of itself is what went over the wire, less SSH's own.
            self.assertLess(done["bytes_sent"] + done["bytes_received"], relay.total)
        print("%s: %d bytes sent, %d received" % (what, relay.sent, relay.received), flush=True)


if __name__ == "__main__":
    porter.main()
