"""ration mps: how the daemon is started and ended, and who may."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess

import support
from support import BUILD, LIBRARY, RATION

CONTROL = BUILD / "sim/bin/nvidia-cuda-mps-control"


class Daemon(support.Case):
    def setUp(self):
        super().setUp()
        self.base = self.root / f"run/u{os.geteuid()}/mps"
        self.pipe = self.base / "pipe"
        for system in ((), ("--system",)):
            self.addCleanup(self.start, RATION, "mps", "stop", "--force", *system)

    def states(self):
        told = json.loads(self.start(RATION, "mps", "status", "--json").stdout)
        return {each["origin"]: each["state"] for each in told["daemons"]}

    def control(self, *lines):
        """Puts a script in the place of nvidia-cuda-mps-control; it ends as the simulated one."""
        script = ["#!/bin/bash", *lines, f'exec {CONTROL} "$@"']
        self.write("bin/nvidia-cuda-mps-control", "\n".join(script) + "\n", 0o755)
        self.environment["PATH"] = f"{self.root}/bin:{self.environment['PATH']}"

    def process(self, *command):
        """A process of ours that is gone with the test."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


class Start(Daemon):
    def test_no_control_program(self):
        line = self.complaint("mps", "ensure", code=1, variables={"PATH": "/nowhere"})
        self.assertIn("nvidia-cuda-mps-control", line)

    def test_daemon_that_does_not_start(self):
        self.control("echo no driver here", "exit 3")
        self.assertIn("no driver here", self.complaint("mps", "ensure", code=1))

    def test_nothing_of_a_client_reaches_it(self):
        """A client's variables would hold for all clients; and what talks to a daemon is not confined."""
        self.control(f"env >{self.root}/arguments.$#")
        variables = {
            "CUDA_VISIBLE_DEVICES": "0",
            "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "10",
            "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=1G",
            "CUDA_MPS_CLIENT_PRIORITY": "1",
            "LD_PRELOAD": str(LIBRARY),
        }
        self.ration("mps", "ensure", "--default-share", "50%", variables=variables)
        daemon = (self.root / "arguments.1").read_text()
        self.assertIn(f"CUDA_MPS_PIPE_DIRECTORY={self.pipe}\n", daemon)
        for name in variables:
            self.assertNotIn(f"{name}=", daemon)
        self.assertNotIn("LD_PRELOAD=", (self.root / "arguments.0").read_text())

    def test_directory_that_is_not_ours(self):
        """Whoever owns the directory can put a socket of theirs into it."""
        self.ration("mps", "ensure")
        self.ration("mps", "stop")
        shutil.rmtree(self.base)
        self.base.symlink_to(self.root / "home")
        self.assertIn(f"{self.base} is not a directory", self.complaint("mps", "ensure", code=1))
        if os.geteuid() == 0:  # only root can give a directory away
            self.base.unlink()
            self.base.mkdir()
            os.chown(self.base, 65534, 65534)
            line = self.complaint("mps", "ensure", code=1)
            self.assertIn(f"{self.base} is not a directory of user root", line)
        self.assertNotIn("alive", self.states().values())


class Stop(Daemon):
    def test_clients_get_the_time_that_they_are_given(self):
        self.control(f'[ "$#" -gt 0 ] || exec {CONTROL} < <(tee -a {self.root}/asked)')
        for options, asked in (
            ((), "quit"),
            (("--timeout", "7"), "quit -t 7"),
            (("--force",), "quit -t 1"),
            (("--force", "--timeout", "0"), "quit -t 0"),
        ):
            (self.root / "asked").write_text("")
            self.ration("mps", "ensure")
            self.ration("mps", "stop", *options)
            self.assertIn(asked, (self.root / "asked").read_text().splitlines(), options)

    def test_force_kills_a_daemon_that_hangs_and_its_servers(self):
        """And none of its other children."""
        for name in ("nvidia-cuda-mps-server", "bystander"):
            shutil.copy("/usr/bin/sleep", self.root / name)
        self.control(
            'if [ "$1" = -d ]; then',
            "    {",
            f"        {self.root}/nvidia-cuda-mps-server 600 & echo $! >{self.root}/server",
            f"        {self.root}/bystander 600 & echo $! >{self.root}/other",
            f"        exec {CONTROL} -f",
            "    } </dev/null >/dev/null 2>&1 &",
            f"    until [ -s {self.pipe}/nvidia-cuda-mps-control.pid ]; do sleep 0.01; done",
            "    exit",
            "fi",
        )
        daemon = self.json("mps", "ensure")["pid"]
        server, other = (int((self.root / name).read_text()) for name in ("server", "other"))
        self.addCleanup(os.kill, other, signal.SIGKILL)
        ends = [os.pidfd_open(pid) for pid in (daemon, server, other)]
        for end in ends:
            self.addCleanup(os.close, end)
        os.kill(daemon, signal.SIGSTOP)
        self.assertTrue(self.json("mps", "stop", "--force")["stopped"])
        for end in ends[:2]:  # readable when the process is gone
            self.assertEqual(select.select([end], [], [], support.LIMIT_S)[0], [end])
        self.assertNotIn("alive", self.states().values())
        self.assertEqual(select.select([ends[2]], [], [], 0)[0], [])

    def test_force_kills_nothing_that_is_no_daemon(self):
        """The number in the daemon's file may be that of another process by now."""
        other = self.process("sleep", "600")
        self.pipe.mkdir(parents=True)
        for folder in (self.base.parent, self.base, self.pipe):
            folder.chmod(0o700)
        (self.pipe / "nvidia-cuda-mps-control.pid").write_text(str(other.pid))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(f"{self.pipe}/control")
            listener.listen()
            self.control("exit 1")
            self.assertIn("still running", self.complaint("mps", "stop", "--force", code=1))
        self.assertIsNone(other.poll())


class System(Daemon):
    def test_every_user_may_keep_something_at_its_place(self):
        self.start("bash", "-c", f"umask 077; exec {RATION} mps start --system").check_returncode()
        self.assertEqual((self.root / "run").stat().st_mode & 0o7777, 0o1777)
        self.assertEqual((self.root / "run/mps/pipe").stat().st_mode & 0o777, 0o755)

    def test_one_server_for_all_users_where_mps_has_that(self):
        self.control(
            f'echo "$@" >>{self.root}/started',
            '[ "$2" != -multiuser-server ] || { echo "what is that?"; exit 1; }',
        )
        self.assertIn("what is that?", self.complaint("mps", "start", "--multi-user", code=1))
        done = self.start(RATION, "mps", "start", "--system")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("users take turns", done.stderr)
        started = (self.root / "started").read_text().splitlines()
        self.assertEqual(started, ["-d -multiuser-server", "-d -multiuser-server", "-d"])
        self.ration("mps", "stop", "--system")
        self.control(f'echo "$@" >>{self.root}/newer')
        self.assertEqual(self.start(RATION, "mps", "start", "--system").stderr, "")
        self.assertEqual((self.root / "newer").read_text(), "-d -multiuser-server\n")

    def test_place_that_was_named_is_not_replaced(self):
        (self.root / "run").write_text("no directory")
        done = self.inside(RATION, "mps", "start", "--system")  # where /run/ration is nobody's
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"{self.root}/run", done.stderr)

    def test_is_for_root(self):
        shutil.copy(RATION, self.root / "ration")
        self.root.chmod(0o755)
        del self.environment["RATION_RUNTIME_DIR"]
        user = [] if os.geteuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for command in ("start", "stop"):
            done = self.start(*user, self.root / "ration", "mps", command, "--system")
            self.assertEqual(done.returncode, 1)
            self.assertIn("--system is for root", done.stderr)
            self.assertIn("use sudo", done.stderr)


if __name__ == "__main__":
    support.main()
