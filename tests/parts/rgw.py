# SPDX-License-Identifier: Apache-2.0
"""A real Ceph on loopback, as small as it gets: one monitor, one OSD in memory, one RGW.

No manager, no systemd, nothing of /etc/ceph. Restarting RGW keeps the data.
"""

import json
import os
import subprocess
import uuid
from typing import Any

import httpx2
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts.debian import find
from parts.hidden import Hidden
from parts.process import Folder, PartError, Process, free_ports, wait_for

HOST = "127.0.0.1"
ADMIN_CAPABILITIES = ";".join(
    f"{what}=*"
    for what in ("users", "buckets", "usage", "metadata", "zone", "roles", "oidc-provider")
)
# "ms mon client mode": RGW alone would ask for an encryption that needs keys, for ever.
# "paxos": by default each new pool takes a second. "crush", "pool": one OSD is all there is.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:{host}:{mon_port}]
public addr = {host}
cluster addr = {host}
ms bind msgr1 = false
ms bind port min = {osd_port}
ms bind port max = {osd_port_end}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
keyring = {folder}/no-keyring
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
pid file =
log file = {folder}/log/$name.log
crash dir = {folder}/crash
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon]
mon data = {folder}/mon
mon cluster log file = {folder}/log/cluster.log
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 0
auth allow insecure global id reclaim = false
paxos propose interval = 0.05
paxos min wait = 0.01
[osd]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd memory target = 939524096
osd numa auto affinity = false
[client]
rgw data = {folder}/rgwdata
rgw frontends = beast endpoint={host}:{port}
rgw enable apis = s3, admin, sts, iam
rgw thread pool size = 32
rgw run sync thread = false
rgw dynamic resharding = false
rgw enable usage log = true
rgw usage log tick interval = 1
rgw usage log flush threshold = 1
rgw s3 auth use sts = true
rgw s3 auth order = {auth_order}
rgw sts key = abcdefghijklmnop
rgw sts min session duration = 1
rgw verify ssl = false
{more}
"""


class Rgw:
    """RGW and the Ceph under it: S3, STS, IAM and the Admin Ops API on one endpoint.

    With `sts_first` RGW keeps its default order of authentication, in which a wrong key and a
    wrong secret both answer AccessDenied; without it each has its own code. `host` is a name of its
    S3, below which buckets have names of their own, as AWS's have.
    """

    def __init__(self, *, sts_first: bool = False, host: str = "") -> None:
        self._clock = ""
        self._folder = Folder("rgw")
        self.folder = self._folder.path
        self.port, self._mon_port, osd_port = free_ports(3)
        self.endpoint = f"http://{HOST}:{self.port}"
        self.admin_access_key = self.admin_secret_key = ""
        self._environment = os.environ | {"CEPH_CONF": str(self.folder / "ceph.conf")}
        self._fsid = str(uuid.uuid4())
        self._processes: dict[str, Process] = {}
        # A new client for each request reads all certificates of this host first.
        none_kept = httpx2.Limits(max_keepalive_connections=0)
        self._client = httpx2.Client(trust_env=False, limits=none_kept)
        text = CONFIGURATION.format(
            fsid=self._fsid,
            host=HOST,
            port=self.port,
            mon_port=self._mon_port,
            osd_port=osd_port,
            osd_port_end=osd_port + 40,
            folder=self.folder,
            auth_order="sts, external, local" if sts_first else "local, sts",
            more=f"rgw dns name = {host}" if host else "",
        )
        (self.folder / "ceph.conf").write_text(text)

    def start(self) -> None:
        """Start everything and make the admin user; takes 3 s."""
        for name in ("mon", "osd", "run", "log", "crash", "rgwdata"):
            (self.folder / name).mkdir()
        self._start_monitor()
        self._start_osd()
        self.start_rgw()
        pair = self.create_user("admin", f"--caps={ADMIN_CAPABILITIES};user-policy=*")
        self.admin_access_key, self.admin_secret_key = pair

    def stop(self) -> None:
        """Throw it all away."""
        for name in ("rgw", "osd", "mon"):
            if name in self._processes:
                self._processes[name].kill()
        self._client.close()
        self._folder.remove()

    def start_rgw(self) -> None:
        self._spawn("rgw", "radosgw", "-n", "client.rgw.a", "-f")
        wait_for(self._answers, "RGW answers", processes=list(self._processes.values()))

    def stop_rgw(self) -> None:
        """Stop RGW alone: its port refuses connections."""
        self._processes.pop("rgw").kill()

    def restart_rgw(self) -> None:
        """Stop and start RGW alone; users, keys and objects stay."""
        self.stop_rgw()
        self.start_rgw()

    def set_clock(self, offset: str) -> None:
        """Set RGW's own clock off, such as by "+20m"; takes faketime."""
        self._clock = offset
        self.restart_rgw()

    def admin(self, *arguments: str) -> Any:
        """Run radosgw-admin and return the JSON it prints, or None where it prints none."""
        text = self._run("radosgw-admin", *arguments)
        return json.loads(text) if text.strip() else None

    def create_user(self, uid: str, *options: str) -> tuple[str, str]:
        """Make a user with one key, which RGW chooses, and return that key's id and secret."""
        user = self.admin("user", "create", f"--uid={uid}", f"--display-name={uid}", *options)
        return user["keys"][0]["access_key"], Hidden(user["keys"][0]["secret_key"])

    def request(
        self, pair: tuple[str, str], method: str, path: str, body: bytes = b""
    ) -> httpx2.Response:
        """Do one S3 request, signed with a pair of id and secret."""
        url = self.endpoint + path
        request = AWSRequest(method=method, url=url, data=body)
        S3SigV4Auth(Credentials(*pair), "s3", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        return self._client.request(method, url, content=body, headers=headers)

    def _start_monitor(self) -> None:
        address = f"[v2:{HOST}:{self._mon_port}]"
        monmap = str(self.folder / "monmap")
        # Without a map of its own the monitor takes the well-known ports and waits for ever.
        create = ["--create", "--fsid", self._fsid, "--addv", "a", address]
        self._run("monmaptool", *create, "--set-min-mon-release", "pacific", monmap)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, *_as_root())
        self._spawn("mon", "ceph-mon", "-i", "a", "-f")

    def _start_osd(self) -> None:
        osd = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd, "0")
        self._run("ceph", *["osd", "crush", "add", "osd.0", "1", "root=default", "host=localhost"])
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, *_as_root())
        self._spawn("osd", "ceph-osd", "-i", "0", "-f")
        processes = list(self._processes.values())
        wait_for(lambda: "1 up" in self._run("ceph", "osd", "stat"), "OSD up", processes=processes)

    def _spawn(self, name: str, program: str, *arguments: str) -> None:
        skewed = self._clock and name == "rgw"
        then = [_binary("faketime"), "--exclude-monotonic", "-f", self._clock] if skewed else []
        argv = [*then, _binary(program), *arguments, *_as_root()]
        log = self.folder / "log" / f"{name}.out"
        self._processes[name] = Process(argv, log=log, env=self._environment)

    def _run(self, program: str, *arguments: str) -> str:
        argv = [_binary(program), *arguments]
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=30, env=self._environment
        )
        if done.returncode:
            # Not the arguments: they can carry a secret.
            said = done.stderr.strip()[-500:]
            raise PartError(f"{program} {arguments[0]} ended with {done.returncode}: {said}")
        return done.stdout

    def _answers(self) -> bool:
        try:
            return httpx2.get(self.endpoint, trust_env=False, timeout=2).is_success
        except httpx2.TransportError:
            return False


def _as_root() -> list[str]:
    """Debian's daemons drop to user ceph when root starts them, who may not write our folder."""
    return ["--setuser", "root", "--setgroup", "root"] if os.geteuid() == 0 else []


def _binary(name: str) -> str:
    found = find(name)
    if found is None:
        raise PartError(f"{name} is not here")
    return found
