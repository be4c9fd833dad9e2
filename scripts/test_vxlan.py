# SPDX-License-Identifier: GPL-2.0
"""A network of two hosts by VXLAN, as Documentation/networking.rst has it: each is a
network namespace, with a switch that has a tap in a bridge for an uplink.
"""
import os
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# join NUMBER DEVICE OTHER: of hosts 1 and 2; the other port of the switch is the
# host's own
JOIN = """
join() {
	ip link set lo up
	ip addr add 10.0.0.$1/24 dev $2
	ip link set $2 up
	ip link add vx0 type vxlan id 7 remote 10.0.0.$3 dstport 4789 dev $2
	ip link add br0 type bridge
	ip link set vx0 master br0 up
	ip link set br0 up
	mvmm switch host$1 --uplink tap=t0,bridge=br0 --uplink tap=t1 >&2 &
	switch=$!
	until ip link show t1 >/dev/null 2>&1; do
		kill -0 $switch || exit 1
		sleep 0.1
	done
	ip addr add 192.168.7.$1/24 dev t1
	ip link set t1 up
}
"""
SECOND = JOIN + """
read -r go <go
join 2 v2 1
python3 -c "$ANSWER"
kill $switch
wait
"""
FIRST = JOIN + """
[ -c /dev/net/tun ] && ip link add v1 type veth peer name v2 &&
	ip link add vx1 type vxlan id 8 remote 10.0.0.2 dstport 4788 dev v1 ||
	exit 77
ip link del vx1
mkfifo go
unshare -n sh -c "$SECOND" &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do
	sleep 0.1
done
ip link set v2 netns $!
echo >go
join 1 v1 2
python3 -c "$ASK"
status=$?
kill $switch
wait
exit $status
"""
ANSWER = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.168.7.2", 7))
s.settimeout(40)
data = b"x"
while data:
    data, who = s.recvfrom(2000)
    s.sendto(data, who)
"""
# In one frame each, of at most 1450 bytes: VXLAN takes 50. The last one ends it
ASK = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.settimeout(1)
for size in 1, 1000, 1422, 0:
    for i in range(30):
        s.sendto(bytes(size), ("192.168.7.2", 7))
        try:
            if len(s.recv(2000)) == size:
                break
        except OSError:
            pass
    else:
        raise SystemExit(f"no answer of {size} bytes")
"""


class Vxlan(unittest.TestCase):
    def test_two_hosts(self):
        with tempfile.TemporaryDirectory() as where:
            done = subprocess.run(
                ["timeout", "100", "unshare", "-n",
                 *["-r"] * (os.geteuid() != 0), "sh", "-c", FIRST],
                cwd=where, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "SECOND": SECOND, "ANSWER": ANSWER,
                     "ASK": ASK, "XDG_RUNTIME_DIR": where,
                     "PATH": f"{TOP}/build:{os.environ['PATH']}:/sbin"})
        if done.returncode == 77:
            self.skipTest("no VXLAN in a network namespace here")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
