# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes this machine an LXD server with a tenant's project, as the file that is its argument says.

cloud-init runs it once, as root. It is made to be run again: what is there stays. It listens on the network last, when
everything else is done, so that whoever reaches it finds it ready.
"""

from __future__ import annotations

import base64
import fractions
import hashlib
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import Any

OS_RELEASE = "/etc/os-release"
SNAPS = ("/snap/bin/lxd", "/var/lib/snapd/snap/bin/lxd")
PLACES = ("/var/snap/lxd/common/lxd", "/var/lib/lxd")
# Snap's store and apt's mirrors fail for minutes on a machine that has just got its network.
PATIENCE = 900
PAUSE = 10
PREFIX = "tenantry:first-boot:"
LABEL = b"tenantry first boot 1\0"
QEMU = {"aarch64": ("qemu-system-arm", "qemu-efi-aarch64"), "x86_64": ("qemu-system-x86", "ovmf")}
DRIVERS = {"btrfs": ("btrfs-progs",), "lvm": ("lvm2", "thin-provisioning-tools"), "zfs": ("zfsutils-linux",)}


def say(text: str) -> None:
    """Into the log of cloud-init, and where that goes to the console, there."""
    sys.stdout.write(f"tenantry: {text}\n")
    sys.stdout.flush()


def run(*command: str, data: bytes | None = None) -> bytes:
    """A program that has to end well; what it prints as bytes."""
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def patiently(*command: str) -> bytes:
    """The same, again until it works, or until a person should look."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return run(*command)
        except subprocess.CalledProcessError as failed:
            if time.monotonic() > end:
                raise
            say(f"{' '.join(command)} failed ({failed.returncode}); again in {PAUSE} s")
            time.sleep(PAUSE)


def install(said: dict[str, Any]) -> None:
    """LXD and what its VMs and storage pools need; one that is there stays, and a snap goes to the channel."""
    package = said["package"]
    if package == "auto":
        package = usual()
    channel = ["--channel=" + said["channel"]] if said["channel"] else []
    if package == "snap":
        install_snap(channel)
        return
    wanted = ["lxd", "lxd-client", "openssl", "dnsmasq-base", "nftables", "qemu-utils", "genisoimage"]
    wanted += QEMU.get(os.uname().machine, ("qemu-system",))
    for pool in said["preseed"]["storage_pools"]:
        wanted += DRIVERS.get(pool["driver"], ())
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    if subprocess.run([*apt, "--no-install-recommends", "-y", "install", *wanted], check=False).returncode:
        patiently(*apt, "update")
        patiently(*apt, "--no-install-recommends", "-y", "install", *wanted)


def install_snap(channel: list[str]) -> None:
    """LXD's snap, by a snapd that is new enough for it, which a distribution's often isn't."""
    if not shutil.which("snap"):
        if not shutil.which("apt-get"):
            sys.exit("tenantry: there is no snapd on this machine; have it in the image, or in cloud_config")
        patiently("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "update")
        patiently("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-y", "install", "snapd")
    patiently("snap", "wait", "system", "seed.loaded")
    there = [line.split()[0] for line in patiently("snap", "list").decode("utf-8", "replace").splitlines()[1:]]
    if "snapd" not in there:
        patiently("snap", "install", "snapd")
    if "lxd" not in there:
        patiently("snap", "install", "lxd", *channel)
    elif channel:
        patiently("snap", "refresh", "lxd", *channel)


def usual() -> str:
    """How LXD is there already; else the distribution's package where it has one, which is on Debian since 12."""
    if not shutil.which("apt-get") or any(os.path.exists(place) for place in SNAPS):
        return "snap"
    with open(OS_RELEASE) as file:
        told = dict(line.strip().split("=", 1) for line in file if "=" in line)
    debian = told.get("ID") == "debian" and told.get("VERSION_ID", '"99"').strip('"') not in ("10", "11")
    # Ubuntu's servers have a program lxd that only installs the snap; a package of that name is not the same.
    asked = ("dpkg-query", "--show", "--showformat=${db:Status-Status}", "lxd")
    there = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return "apt" if debian or (there == b"installed" and told.get("ID") != "ubuntu") else "snap"


def proof(secret: str, public_key: bytes) -> str:
    """What only somebody with the secret can make of a public key."""
    return hmac.new(bytes.fromhex(secret), LABEL + public_key, hashlib.sha256).hexdigest()


def certify(folder: str, said: dict[str, Any]) -> bool:
    """A key that never leaves this machine, and a certificate that shows whose it is; True if they are new."""
    key, certificate = os.path.join(folder, "server.key"), os.path.join(folder, "server.crt")
    if os.path.exists(certificate):
        public = run("openssl", "x509", "-in", certificate, "-noout", "-pubkey")
        names = run("openssl", "x509", "-in", certificate, "-noout", "-text").decode("utf-8", "replace")
        if PREFIX + proof(said["secret"], der_of(public)) in names:
            return False
    os.umask(0o077)
    run("openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", key + ".new")
    public = run("openssl", "pkey", "-in", key + ".new", "-pubout")
    settings = os.path.join(folder, "first-boot.cnf")
    with open(settings, "w") as file:
        file.write(SETTINGS.format(socket.gethostname()[:59], PREFIX + proof(said["secret"], der_of(public))))
    run(
        *("openssl", "req", "-x509", "-new", "-sha384", "-days", "3650", "-config", settings),
        *("-key", key + ".new", "-out", certificate + ".new"),
    )
    os.unlink(settings)
    os.chmod(certificate + ".new", 0o644)
    # While one of the two is missing, LXD makes both again: it never starts with halves that don't belong together.
    if os.path.exists(certificate):
        os.unlink(certificate)
    os.replace(key + ".new", key)
    os.replace(certificate + ".new", certificate)
    return True


SETTINGS = """[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
O = LXD
CN = root@{}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, IP:::1, URI:{}
"""


def der_of(pem: bytes) -> bytes:
    """The bytes in a PEM text with one block."""
    return base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-----")))


class Local(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=300)
        self.path = path

    def connect(self) -> None:
        """Where http.client would open a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(folder: str, method: str, path: str, body: Any = None) -> Any:
    """One request to LXD: its answer; None for what isn't there. What LXD refuses ends the run with its words."""
    connection = Local(os.path.join(folder, "unix.socket"))
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if answer["type"] == "async":
        return ask(folder, "GET", answer["operation"].split("?")[0] + "/wait?timeout=300")
    if answer.get("error_code") == 404 and method == "GET":
        return None
    if answer["type"] == "error":
        sys.exit(f"tenantry: {method} {path}: {answer['error']}")
    found = answer["metadata"]
    if isinstance(found, dict) and found.get("err"):
        sys.exit(f"tenantry: {path}: {found['err']}")
    return found


def settle(folder: str, said: dict[str, Any]) -> None:
    """The project and who may use it: as the controller planned them."""
    known = ask(folder, "GET", "/1.0")["api_extensions"]
    strange = {key for key, extension in said["late"].items() if extension not in known}
    for request in said["requests"]:
        body = request["body"]
        there = ask(folder, "GET", request["made"]) if "made" in request else None
        if there is not None:
            mine = there.get("config", {}).get(said["owner"]["key"], said["owner"]["value"]) == said["owner"]["value"]
            if not mine:
                sys.exit(f"tenantry: {request['made']} belongs to somebody else")
            continue
        if request["path"] == "/1.0/projects":
            config = {key: value for key, value in body["config"].items() if key not in strange}
            body = dict(body, config=dict(config, **limits(folder, said)))
        ask(folder, request["method"], request["path"], body)


def limits(folder: str, said: dict[str, Any]) -> dict[str, str]:
    """What LXD itself holds: the ratios in force, and how much of this machine that is."""
    if not said["enforce"]:
        return {}
    found = ask(folder, "GET", "/1.0/resources")
    config = {}
    for kind, ratio in said["enforce"].items():
        most = int(fractions.Fraction(ratio) * found[kind]["total"])
        config[f"user.tenantry.{kind}_overcommit"] = ratio
        config["limits." + kind] = str(most) if kind == "cpu" else f"{most}B"
    return config


def main(path: str) -> None:
    """Everything, in an order that may stop anywhere; the secret goes when it has served."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    # Before anything else, a program lxd may be there that only installs the snap.
    os.environ["PATH"] = ":".join([*map(os.path.dirname, SNAPS), os.environ["PATH"]])
    os.environ.setdefault("HOME", "/root")
    with open(path) as file:
        said = json.load(file)
    say("installing LXD")
    install(said)
    run("lxd", "waitready", "--timeout=300")
    folder = next(place for place in PLACES if os.path.exists(os.path.join(place, "unix.socket")))
    if certify(folder, said):
        run("systemctl", "restart", "snap.lxd.daemon" if "/snap/" in folder else "lxd")
        run("lxd", "waitready", "--timeout=300")
    say("initialising LXD")
    run("lxd", "init", "--preseed", data=json.dumps(said["preseed"]).encode())
    settle(folder, said)
    ask(folder, "PATCH", "/1.0", {"config": {"core.https_address": said["address"]}})
    for used in (path, __file__):
        os.unlink(used)
    say(f"ready; LXD listens on {said['address']}")


if __name__ == "__main__":
    main(sys.argv[1])
