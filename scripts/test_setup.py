# SPDX-License-Identifier: GPL-2.0
"""The table of packages in scripts/setup: whole, and no less than debian/control
asks for. And what it makes in the cache, with programs that stand in for those that
need the network."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from testlib.labs import TOP

SYSTEMS = ["bookworm", "trixie", "ubuntu", "fedora"]
CHECK = "check"
USES = {"lab", "deb", "root", "browser"}


def table():
    with open(f"{TOP}/scripts/setup") as script:
        text = script.read().split("<<'TABLE'\n")[1].split("\nTABLE\n")[0]
    return text.splitlines()


def names(use, system):
    done = subprocess.run([f"{TOP}/scripts/setup", "names", use, system],
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()


class Table(unittest.TestCase):
    def test_each_row_has_all_systems(self):
        rows = table()
        self.assertEqual(["#", "use", *SYSTEMS, CHECK], rows[0].split())
        seen = set()
        for row in rows:
            if row.startswith("#"):
                continue
            use, name, *others = row.split()
            self.assertEqual(len(SYSTEMS), len(others), row)
            self.assertLessEqual(set(use.split(",")), USES, row)
            self.assertRegex(name, r"^[a-z0-9.+-]+$")
            self.assertNotIn(name, seen)
            seen.add(name)

    def test_other_names(self):
        self.assertIn("libvdeplug2t64", names("lab", "trixie"))
        self.assertNotIn("libvdeplug2t64", names("lab", "bookworm"))
        # A suite without a column is as the newest
        self.assertEqual(names("lab", "trixie"), names("lab", "sid"))
        self.assertIn("zydis-devel", names("lab", "fedora"))
        # Two of one, and none of another
        self.assertIn("virtiofsd", names("lab", "fedora"))
        self.assertFalse({"-", "="} & set(names("lab", "fedora")))

    def test_what_debian_asks_for(self):
        with open(f"{TOP}/debian/control") as control:
            text = re.search(r"^Build-Depends:\n((?: .*\n)+)", control.read(),
                             re.M).group(1)
        needed = {re.split(r"[ ,(]", line.strip())[0]
                  for line in text.splitlines()}
        # Virtual, or another name of it
        needed -= {"debhelper-compat", "pkgconf"}
        needed = {n for n in needed if not n.startswith("dh-sequence-")}
        self.assertGreater(len(needed), 10)
        for system in SYSTEMS[:2]:
            for use in ("deb", "root"):
                self.assertLessEqual(needed, set(names(use, system)))


class Check(unittest.TestCase):
    """Where there is no dpkg: commands, pkg-config's modules, and files."""
    def setUp(self):
        there = tempfile.TemporaryDirectory()
        self.addCleanup(there.cleanup)
        self.there = there.name
        with open(f"{self.there}/os-release", "w") as release:
            release.write("ID=fedora\nVERSION_CODENAME=\n")
        os.mkdir(f"{self.there}/bin")
        for name in names("lab", CHECK):
            if not name.startswith("/") and not name.endswith(".pc"):
                self.program(name, "exit 1")
        self.program("pkg-config", '! [ "$2" = "$LACKS" ]')
        # What the script itself needs. Last: nothing is written through these
        for name in ("awk", "bash", "cat", "dirname", "mkdir", "sort"):
            os.symlink(shutil.which(name), f"{self.there}/bin/{name}")

    def program(self, name, text):
        path = f"{self.there}/bin/{name}"
        with open(path, "w") as script:
            script.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def setup(self, *words, lacks=""):
        """As on a Fedora with these commands and modules only."""
        return subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c",
             'mount --bind "$1/os-release" /etc/os-release && '
             'PATH=$1/bin && shift && exec "$@"',
             "sh", self.there, f"{TOP}/scripts/setup", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"MVMM_CACHE": f"{self.there}/cache",
                              "LACKS": lacks})

    def test_all_is_there(self):
        for words in (["packages"], ["check"], ["check", "lab"]):
            done = self.setup(*words)
            self.assertEqual((0, ""), (done.returncode, done.stdout))

    def test_a_command_and_a_module(self):
        os.unlink(f"{self.there}/bin/nbdkit")
        done = self.setup("check", lacks="jansson")
        self.assertEqual((1, "setup: missing: jansson.pc nbdkit\n"),
                         (done.returncode, done.stdout))
        # What the packages' names are is said, and nothing is installed
        done = self.setup("packages", lacks="jansson")
        self.assertEqual(1, done.returncode)
        self.assertIn("setup: missing: jansson.pc nbdkit\n", done.stdout)
        self.assertIn('"setup names lab ubuntu" (or fedora)', done.stdout)

    def test_a_file(self):
        """Another tree's table asks for one that is not there."""
        os.mkdir(f"{self.there}/scripts")
        with open(f"{TOP}/scripts/setup") as script:
            text = script.read()
        self.assertIn("/usr/include/stdio.h\n", text)
        with open(f"{self.there}/scripts/setup", "w") as script:
            script.write(text.replace("/usr/include/stdio.h\n", "/no/stdio.h\n"))
        done = subprocess.run(["bash", f"{self.there}/scripts/setup", "check"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        self.assertEqual((1, "setup: missing: /no/stdio.h\n"),
                         (done.returncode, done.stdout))

    def test_no_such_use(self):
        self.assertIn('there is no use "lap"', self.setup("check", "lap").stdout)

    def test_this_system(self):
        """Debian's packages have what the table says: they are installed."""
        done = subprocess.run([f"{TOP}/scripts/setup", "check", "lab"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        self.assertEqual((0, ""), (done.returncode, done.stdout))


class Cache(unittest.TestCase):
    def setUp(self):
        there = tempfile.TemporaryDirectory()
        self.addCleanup(there.cleanup)
        self.bin, self.cache = f"{there.name}/bin", f"{there.name}/cache"
        os.mkdir(self.bin)
        os.mkdir(self.cache)
        self.program("sudo", 'exec "$@"')

    def program(self, name, text):
        with open(f"{self.bin}/{name}", "w") as script:
            script.write(f"#!/bin/sh\n{text}\n")
        os.chmod(f"{self.bin}/{name}", 0o755)

    def setup(self, *words, **variables):
        return subprocess.run(
            [f"{TOP}/scripts/setup", *words], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}",
                              "MVMM_CACHE": self.cache} | variables)

    def test_of_a_root_that_fails_nothing_stays(self):
        self.program("mmdebstrap", 'for a; do case $a in *.tmp) mkdir "$a";; '
                                   "esac; done; echo 'no network'; exit 1")
        self.program("apt-get", "echo 'deb [] http://x "
                                "'$(. /etc/os-release; echo "
                                "$VERSION_CODENAME) main")
        # Of one that was killed
        os.mkdir(f"{self.cache}/chroot-sid-1.tmp")
        os.mkdir(f"{self.cache}/unpack.abcdef")
        done = self.setup("chroot", "trixie")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("no network", done.stderr)
        self.assertEqual([".lock", "chroot.log"],
                         sorted(os.listdir(self.cache)))

    def test_another_suites_apt(self):
        """Neither call of it writes to the system's cache, or runs its hooks."""
        hooks = [f"APT::Update::{when}" for when in
                 ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")]
        with open(f"{self.cache}/system.conf", "w") as conf:
            conf.writelines(f'{hook} {{"false";}};\n' for hook in hooks)
        # What apt would have of these options
        asked = 'shift 2; apt-config dump "$@" >"$MVMM_CACHE/$was"'
        self.program("apt-get", f"""was=$1
case $1 in
indextargets) . /etc/os-release; echo "deb [] http://x $VERSION_CODENAME main";;
update) {asked};;
esac""")
        self.program("apt-cache", f"was=$1; {asked}")
        done = self.setup("i386-kernel",
                          APT_CONFIG=f"{self.cache}/system.conf")
        self.assertIn("has no linux-image-686-pae", done.stderr)
        lists = f"{self.cache}/bookworm-i386.apt/lists"
        # The system may have these, too
        own = {"Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=",
               f"Dir::State::Lists={lists}", "APT::Architecture=i386"}
        run = {f'{hook}:: "false";' for hook in hooks}
        for call, hooked in (("update", set()), ("show", run)):
            with open(f"{self.cache}/{call}") as dump:
                options = set(dump.read().splitlines())
            self.assertEqual(hooked, run & options)
            line, = [o for o in options if "CommandLine::AsString " in o]
            self.assertEqual(own, own & set(line.rstrip('";').split()))

    def test_a_kernel_of_another_suite(self):
        """Its linux-kbuild is the one that its headers ask for."""
        for release, kbuild in (("6.12.9+deb12-amd64", "linux-kbuild-6.12.9+deb12"),
                                ("6.12.8-1-amd64", "linux-kbuild-6.12")):
            headers = f"linux-headers-{release}"
            self.program("apt-cache", f"""
for a; do case $a in
linux-headers-amd64) echo 'Depends: {headers} (= 1)';;
{headers}) echo 'Depends: {headers[:-6]}-common, {kbuild} (>= 1), gcc';;
esac; done""")
            # Packages are their names, and only those that there are
            self.program("apt-get", f"""
for p; do case $p in
linux-image-{release} | {headers} | {headers[:-6]}-common | {kbuild})
	echo $p >${{p}}_1_amd64.deb; exit;;
linux-*) echo "no $p"; exit 1;;
indextargets) . /etc/os-release; echo "deb [] http://x $VERSION_CODENAME main"; exit;;
esac; done""")
            self.program("dpkg", f"""
p=$(cat "$2"); mkdir -p "$3/lib/modules/{release}" "$3/usr/src/$p" "$3/usr/lib/$p/scripts" "$3/usr/lib/$p/tools"
echo include /usr/src >"$3/usr/src/$p/Makefile" """)
            done = self.setup("backports-kernel")
            self.assertEqual(0, done.returncode, done.stderr)
            root = done.stdout.strip()
            self.assertEqual(f"{self.cache}/linux-image-{release}", root)
            for where in (headers, f"{headers[:-6]}-common"):
                for part in ("scripts", "tools"):
                    self.assertEqual(
                        f"{root}/usr/lib/{kbuild}/{part}",
                        os.path.realpath(f"{root}/usr/src/{where}/{part}"))
                    self.assertTrue(os.path.isdir(
                        f"{root}/usr/src/{where}/{part}"))


if __name__ == "__main__":
    unittest.main()
