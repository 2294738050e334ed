# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input of every option of lxd_vm_compose: one line, a code and what to do, before anything is written."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import io
import json
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.arguments import CONNECTION, FROM_CONTROLLER
from ansible_collections.tenantry.lxd.plugins.modules import lxd_vm_compose
from cryptography.hazmat.primitives import serialization

from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import OVERCOMMITTED, OWNER, Tenant, create_confined_project, register_vm_host
from tests.lxd.daemon import Daemon
from tests.lxd.teardown import discard_project
from tests.lxd.world import differences

# Must not be printed, whatever else is wrong with what holds it.
SECRET = "sesame-2718281828"
NOW = datetime.datetime.now(datetime.timezone.utc)
YEAR = datetime.timedelta(days=365)


@dataclasses.dataclass(frozen=True)
class Case:
    """What a task says, and what must be in its refusal: the code, words of the message, words of the hint.

    `about`: the option that is meant, as `vms.disks.size`. Ansible's own refusals of a type or a choice have no hint.
    `by_ansible`: in a playbook, where the action plugin has a part in it; the others by the module in this process,
    since a task of a playbook costs a second.
    """

    about: str
    task: Mapping[str, Any]
    code: str
    message: tuple[str, ...]
    hint: str = ""
    name: str = ""
    by_ansible: bool = False


def task(about: str, said: Mapping[str, Any], code: str, *message: str, hint: str = "") -> Case:
    """A task that says all of it itself."""
    return Case(about, said, code, message, hint)


def compose(about: str, said: Mapping[str, Any], code: str, *message: str, hint: str = "") -> Case:
    """A task with one good VM and something else that is wrong."""
    return Case(about, {"vmhost": "kvm-01", "vms": [{"name": "vm"}], **said}, code, message, hint)


def vm(about: str, value: Any, code: str, *message: str, hint: str = "", **said: Any) -> Case:
    """A VM with one bad option."""
    spec = {"name": "vm", about: value, **said}
    return Case(f"vms.{about}", {"vmhost": "kvm-01", "vms": [spec]}, code, message, hint)


def default(about: str, value: Any, code: str, *message: str, hint: str = "") -> Case:
    """The same in the defaults of a good VM."""
    said = {"vmhost": "kvm-01", "defaults": {about: value}, "vms": [{"name": "vm"}]}
    return Case(f"defaults.{about}", said, code, message, hint)


def disk(about: str, value: Any, code: str, *message: str, hint: str = "", **said: Any) -> Case:
    """A VM with a bad further disk."""
    case = vm("disks", [{}, {"name": "data", **said, about: value}], code, *message, hint=hint)
    return dataclasses.replace(case, about=f"vms.disks.{about}")


def nic(about: str, value: Any, code: str, *message: str, hint: str = "", **said: Any) -> Case:
    """A VM with a bad interface."""
    case = vm("interfaces", [{**said, about: value}], code, *message, hint=hint)
    return dataclasses.replace(case, about=f"vms.interfaces.{about}")


def host(name: str, code: str, *message: str, hint: str = "") -> Case:
    """A good VM for a VM host of the registry with which something is wrong."""
    return Case("vmhost", {"vmhost": name, "vms": [{"name": "vm"}]}, code, message, hint)


LOWLEVEL = "restricted.virtual-machines.lowlevel: allow"

# What can't be right in a VM or in the defaults of all: option, value, code, words of the message, words of the hint.
EITHER: list[tuple[str, Any, str, tuple[str, ...], str]] = [
    ("state", "running", "invalid", ("running", "started"), ""),
    ("vmhost", "kvm-99", "not_found", ("kvm-99", "not in the registry"), "lxd_vmhost"),
    ("target", "m2", "invalid", ("target", "not a cluster"), "leave target out"),
    ("cores", 0, "invalid", ("cores: 0",), "1 or more"),
    ("architecture", "Z80 and more", "invalid", ("architecture: 'Z80 and more'",), "x86_64"),
    ("pinned_cores", [1, 1], "invalid", ("pinned_cores: [1, 1]",), "once"),
    ("memory", "2 gigs", "invalid", ("memory: '2 gigs'",), "2GiB"),
    ("hugepages", True, "unsupported", ("hugepages", "confined"), LOWLEVEL),
    ("numa_nodes", [0], "unsupported", ("numa_nodes", "LXD 5.0"), "numa_cpu_placement"),
    ("disks", [{}, {"name": "root"}], "invalid", ("two disks are called root",), "name of its own"),
    ("interfaces", [{}], "invalid", ("eth0 has neither a network nor a parent",), "network"),
    ("image", "nothing", "not_found", ("image: 'nothing' is not there",), "a-container"),
    ("boot", "usb", "invalid", ("usb", "network"), ""),
    ("secure_boot", "perhaps", "invalid", ("secure_boot", "perhaps"), ""),
    ("cloud_init", {"user_date": SECRET}, "invalid", ("user_date",), ""),
    ("profiles", ["huge"], "not_found", ("profiles: 'huge' is not there",), "default"),
    ("config", {"raw.qemu": "-s"}, "unsupported", ("config raw.qemu", "confined"), LOWLEVEL),
    ("devices", {"x": {"type": "usb"}}, "unsupported", ("device x of type usb",), "restricted.devices.usb: allow"),
    ("pool", "a\nb", "invalid", ("pool: 'a\\nb'",), "one line"),
    ("zone", " north", "invalid", ("zone: ' north'",), "spaces"),
    ("tags", ["a,b"], "invalid", ("tags: 'a,b'",), "comma"),
    ("annotations", {"a b": 1}, "invalid", ("annotations: 'a b'",), "spaces"),
    ("protected", "perhaps", "invalid", ("protected", "perhaps"), ""),
]

VMS = [
    vm("name", "web_1", "invalid", "LXD takes no instance called 'web_1'", hint="letters"),
    vm("name", "1st", "invalid", "LXD takes no instance called '1st'", hint="letter"),
    vm("nmae", "vm", "invalid", "nmae"),
    vm("vmhost", "../x", "invalid", "'../x'", hint="letters"),
    vm("cores", "two", "invalid", "cores", "two"),
    vm("cores", True, "invalid", "cores: True", hint="1 or more"),
    vm("cores", 1, "invalid", "cores: it can't be combined with pinned_cores", hint="one of them", pinned_cores=[1]),
    vm("pinned_cores", "first", "invalid", "pinned_cores", "first", hint="list each once"),
    vm("memory", "50%", "invalid", "memory: '50%'", hint="2GiB"),
    vm("memory", "0", "invalid", "memory: ", hint="2GiB"),
    vm("hugepages", "perhaps", "invalid", "hugepages", "perhaps"),
    vm("disks", "data", "invalid", "dictionary requested"),
    vm("disks", [{"state": "absent"}], "invalid", "the first disk is the root disk", hint="first"),
    vm("image", "a-container", "invalid", "a-container is for containers", hint="virtual-machine"),
    vm("image", {"server": "http://x", "alias": "a"}, "invalid", "server 'http://x'", hint="https"),
    vm("image", {"server": "https://x"}, "invalid", "neither alias nor fingerprint", hint="alias"),
    vm("cloud_init", "text", "invalid", "dictionary requested"),
    vm("config", {"volatile.uuid": "x"}, "invalid", "config: volatile.uuid", hint="LXD"),
    vm("config", {"limits.memory": "1GiB"}, "invalid", "config: limits.memory", hint="use memory"),
    vm("config", {"cloud-init.user-data": "x"}, "invalid", "config: cloud-init.user-data", hint="cloud_init"),
    vm("config", {"user.x": ["y"]}, "invalid", "config.user.x: list", hint="quote"),
    vm("devices", {"x": "tpm"}, "invalid", "devices: x is not a map", hint="absent"),
    vm(
        "devices",
        {"etc": {"type": "disk", "source": "/etc", "path": "/mnt"}},
        "unsupported",
        "device etc, a disk without a storage pool",
        hint="restricted.devices.disk: allow",
    ),
    # The VM `there` is there, stopped and ours.
    vm("name", "theirs", "not_owned", "belongs to others", hint="another name"),
    vm("name", "a-container", "conflict", "a container has that name", hint="another name"),
    vm("disks", [{"size": "1GiB"}], "invalid", "disk root has 2GiB", hint="never shrunk", name="there"),
    vm(
        "interfaces",
        [{"name": "root", "state": "absent"}],
        "invalid",
        "interface root: the VM has a root disk",
        hint="another name",
        name="there",
    ),
    vm("devices", {"root": {"state": "absent"}}, "invalid", "no root disk", hint="disks", name="there"),
]

DISKS = [
    disk("name", "a/b", "invalid", "disks: 'a/b'", hint="letters"),
    disk("size", "2 gigs", "invalid", "disks: size of data: '2 gigs'", hint="2GiB"),
    disk("storage_pool", "slow", "not_found", "disk data: storage pool 'slow'", hint="default"),
    disk("boot_priority", -1, "invalid", "boot_priority of data: -1", hint="0 to"),
    disk("config", {"source": "/dev/sda"}, "invalid", "config of data: source", hint="use that option"),
    disk("state", "gone", "invalid", "gone", "absent"),
    disk("delete_volume", "perhaps", "invalid", "delete_volume", "perhaps"),
    disk("sise", "1GiB", "invalid", "sise"),
]

INTERFACES = [
    nic("name", "e th", "invalid", "interfaces: 'e th'", hint="letters", network="br"),
    nic("network", "nothing", "not_found", "interface eth0: network 'nothing'", hint="there:"),
    nic("parent", "lo", "unsupported", "eth0", "confined", hint="restricted.devices.nic: allow", type="macvlan"),
    nic("parent", "lo", "invalid", "a parent needs a type", hint="bridged"),
    nic("type", "bridge", "invalid", "bridge", "macvlan", parent="lo"),
    nic("type", "macvlan", "invalid", "type goes with parent", hint="type", network="br"),
    nic("mac", "01:00:5e:00:00:01", "invalid", "'01:00:5e:00:00:01'", hint="00:16:3e", network="br"),
    nic("vlan", 4095, "invalid", "vlan: 4095", hint="4094", network="br"),
    nic("ipv4", "10.0.0.1/24", "invalid", "'10.0.0.1/24' is not an IPv4", hint="none", network="br"),
    nic("ipv6", "10.0.0.1", "invalid", "'10.0.0.1' is not an IPv6", hint="none", network="br"),
    nic("boot", -1, "invalid", "boot: -1", hint="0 to", network="br"),
    nic("state", "gone", "invalid", "gone", "absent", network="br"),
    nic("mtu", 100, "invalid", "mtu: 100", hint="1280 to 16384", network="br"),
    nic("config", {"vlan": 5}, "invalid", "config: vlan has an option", hint="use that option", network="br"),
    *(
        nic(f"{what}_filter", "perhaps", "invalid", f"{what}_filter", "perhaps", network="br")
        for what in ("mac", "ipv4", "ipv6")
    ),
]

TASKS = [
    task("vms", {"vmhost": "kvm-01"}, "invalid", "vms"),
    compose("vms", {"vms": "web"}, "invalid", "dictionary requested"),
    compose("vms", {"vms": [{"name": "a"}, {"name": "a"}]}, "invalid", "a is listed twice", hint="one entry"),
    compose(
        "vms", {"vms": [{"name": "a"}, {"name": "a", "vmhost": "kvm-01"}]}, "invalid", "a is listed twice", hint="one"
    ),
    compose("vms.name", {"vms": [{"state": "present"}]}, "invalid", "name"),
    compose("defaults", {"defaults": "web"}, "invalid", "dictionary requested"),
    compose("defaults", {"defaults": {"name": "web"}}, "invalid", "name"),
    task("vmhosts", {"vms": [{"name": "a"}], "vmhosts": ["kvm-99"]}, "not_found", "kvm-99", hint="lxd_vmhost"),
    task(
        "zone",
        {"vms": [{"name": "a"}], "zone": "nowhere"},
        "invalid",
        "no VM host matches",
        "not nowhere",
        hint="widen",
    ),
    task("pool", {"vms": [{"name": "a"}], "pool": "none"}, "invalid", "pool is not set, not none", hint="widen"),
    task("host_tags", {"vms": [{"name": "a"}], "host_tags": ["x"]}, "invalid", "lacks the tag x", hint="widen"),
    compose("wait", {"wait": "for it"}, "invalid", "wait"),
    compose("warn_within", {"warn_within": "soon"}, "invalid", "warn_within"),
    compose("wait_timeout", {"wait_timeout": 0}, "invalid", "wait_timeout: 0", hint="1 or more"),
    compose("strategy", {"strategy": "sideways"}, "invalid", "strategy"),
    compose("ignore_unreachable_hosts", {"ignore_unreachable_hosts": "perhaps"}, "invalid", "ignore_unreachable_hosts"),
    compose("prune", {"prune": True}, "invalid", "prune: vmhosts is not set", hint="set the VM hosts"),
    compose("prune", {"prune": True, "vms": []}, "invalid", "prune: vms is empty", hint="the VMs to keep"),
    compose(
        "prune_tag", {"prune": True, "vmhosts": ["kvm-01"]}, "invalid", "prune_tag is not set", hint="with that tag"
    ),
    compose(
        "prune_max",
        {"prune": True, "vmhosts": ["kvm-01"], "prune_tag": "x", "prune_max": 0},
        "invalid",
        "prune_max: 0",
        hint="1 or more",
    ),
    compose("allow_restart", {"allow_restart": "perhaps"}, "invalid", "allow_restart"),
    compose("force_stop", {"force_stop": "perhaps"}, "invalid", "force_stop"),
    compose("stop_timeout", {"stop_timeout": 0}, "invalid", "stop_timeout: 0", hint="1 or more"),
    compose("concurrency", {"concurrency": 0}, "invalid", "concurrency: 0", hint="1 or more"),
    compose("timeout", {"timeout": 0}, "invalid", "timeout: 0", hint="1 or more"),
    compose("timeout", {"timeout": "soon"}, "invalid", "timeout"),
    compose("nonsense", {"nonsense": 1}, "invalid", "nonsense"),
    task("vmhost", {"vmhost": "kvm-99", "vms": [{"name": "a"}]}, "not_found", "kvm-99: not in", hint="lxd_vmhost"),
    compose("registry", {"registry": "/nowhere"}, "not_found", "not in the registry /nowhere", hint="registry"),
    compose("registry", {"registry": "/ansible_collections/x"}, "invalid", "installed collection", hint="LXD_VMHOST"),
    compose("url", {"url": "http://127.0.0.1"}, "invalid", "url: ", hint="https"),
    compose("url", {"url": "https://me:word@127.0.0.1"}, "invalid", "a user or a password", hint="https"),
    compose("client_cert", {"client_cert": "/nowhere"}, "invalid", "certificate", hint="PEM"),
    compose("client_key", {"client_key": SECRET}, "invalid", "private key", hint="PEM"),
    compose("server_cert", {"server_cert": "/nowhere"}, "invalid", "server_cert: ", hint="PEM"),
    compose("server_fingerprint", {"server_fingerprint": "ab:cd"}, "invalid", "server_fingerprint: ", hint="lxc info"),
    compose("server_fingerprint", {"server_fingerprint": "ab" * 32}, "not_trusted", "not the pinned one", hint="pin"),
    compose("project", {"project": "default"}, "not_trusted", "default", hint="another project"),
    compose("owner", {"owner": "somebody"}, "not_owned", "belongs to tests", "somebody", hint="adopt"),
]

HOSTS = [
    host("kvm-theirs", "not_owned", "belongs to others", hint="adopt"),
    host("kvm-nobodys", "not_owned", "no owner's mark", hint="adopt"),
    host("kvm-forbidden", "not_trusted", "projects/", hint="another project"),
    host("kvm-no-project", "not_found", "project missing is not there", hint="lxd_project"),
    host("kvm-no-owner", "invalid", "owner: it is missing", hint="owner"),
    host("kvm-pin", "not_trusted", "not the pinned one", hint="pin"),
    host("kvm-no-pin", "not_trusted", "nothing pins this server", hint="server_fingerprint"),
    host("kvm-bad-pin", "invalid", "kvm-bad-pin/server.crt", hint="PEM"),
    host("kvm-expired", "invalid", "certificate: it expired on", hint="rotate_certs"),
    host("kvm-early", "invalid", "certificate: it is not valid before", hint="clock"),
    host("kvm-mismatched", "invalid", "it doesn't belong to the certificate", hint="openssl"),
    host("kvm-passphrase", "invalid", "it has a passphrase", hint="openssl"),
    host("kvm-no-key", "not_trusted", "no tenant certificate with its key", hint="lxd_tenant_cert"),
    host("kvm-untrusted", "not_trusted", "doesn't trust the tenant certificate", hint="lxd_tenant_cert"),
    host("kvm-down", "unreachable", "no answer", hint="core.https_address"),
    host("kvm-broken", "invalid", "vmhost.yml: line 2", hint="YAML"),
    host("kvm-typo", "invalid", "vmhost.yml: 'pojects'", hint="project"),
    task(
        "owner",
        {"url": "URL", "server_fingerprint": "PIN", "project": "PROJECT", "vms": [{"name": "a"}]},
        "invalid",
        "no owner is set",
        hint="owner",
    ),
    task(
        "project",
        {"url": "URL", "server_fingerprint": "PIN", "owner": OWNER, "vms": [{"name": "a"}]},
        "invalid",
        "no project is set",
        hint="project",
    ),
]

_BY_ANSIBLE = [*TASKS, *HOSTS]
_BY_ITSELF = [
    *(vm(option, value, code, *message, hint=hint) for option, value, code, message, hint in EITHER),
    *(default(option, value, code, *message, hint=hint) for option, value, code, message, hint in EITHER),
    *VMS,
    *DISKS,
    *INTERFACES,
]
CASES = [
    dataclasses.replace(case, name=f"{number:03}-{case.about}", by_ansible=number < len(_BY_ANSIBLE))
    for number, case in enumerate((*_BY_ANSIBLE, *_BY_ITSELF))
]

# Any text is right, and Ansible makes a text of anything.
ANY = {
    *("vms.description", "defaults.description"),
    *(f"vms.cloud_init.{option}" for option in ("user_data", "network_config", "vendor_data")),
}


def options(spec: Mapping[str, Any], start: str = "") -> Iterator[str]:
    for name, rest in spec.items():
        if name.startswith("_"):
            continue
        yield f"{start}{name}"
        # What is below the defaults' lists is what is below the VMs'.
        if "options" in rest and not start.startswith("defaults."):
            yield from options(rest["options"], f"{start}{name}.")


def test_every_option_has_a_bad_value() -> None:
    assert set(options({**CONNECTION, **lxd_vm_compose.OPTIONS})) - {case.about for case in CASES} == ANY


def container_image() -> bytes:
    """The least that LXD takes for an image of a container."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        metadata = b"{architecture: x86_64, creation_date: 1, properties: {os: none}}\n"
        entry = tarfile.TarInfo("metadata.yaml")
        entry.size = len(metadata)
        archive.addfile(entry, io.BytesIO(metadata))
        folder = tarfile.TarInfo("rootfs")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    return packed.getvalue()


def furnish(lxd: Daemon, project: str) -> None:
    """A VM of ours, one of others', a container, and an image that is for containers."""
    query = {"project": project}
    image = lxd.api("POST", "/1.0/images", container_image(), query)["metadata"]["fingerprint"]
    lxd.api("POST", "/1.0/images/aliases", {"name": "a-container", "target": image}, query)
    root = {"root": {"type": "disk", "path": "/", "pool": "default", "size": "2GiB"}}
    for name, owner, kind in (
        ("there", OWNER, "virtual-machine"),
        ("theirs", "others", "virtual-machine"),
        ("a-container", OWNER, "container"),
    ):
        said = {"name": name, "type": kind, "config": {"user.tenantry.owner": owner}, "devices": root, "profiles": []}
        lxd.api("POST", "/1.0/instances", {**said, "source": {"type": "none"}}, query)


def sealed(key: str) -> str:
    """The key with a passphrase."""
    loaded = serialization.load_pem_private_key(key.encode(), password=None)
    words = serialization.BestAvailableEncryption(SECRET.encode())
    return loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, words).decode()


def register_bad_hosts(tenant: Tenant, projects: Mapping[str, str]) -> None:
    """Copies of a good entry, each with one thing wrong."""
    site, good = tenant.site, tenant.site.registry / tenant.vmhost
    certificate = (good / "client.crt").read_text()
    entry = yaml.safe_load((good / "vmhost.yml").read_text())

    def bad(name: str, change: Mapping[str, Any] | None = None, **files: str | None) -> None:
        folder = site.registry / name
        shutil.copytree(good, folder)
        if change is not None:
            changed = {key: value for key, value in {**entry, **change}.items() if value is not None}
            (folder / "vmhost.yml").write_text(yaml.safe_dump(changed))
        for file, text in files.items():
            path = folder / file.replace("_", ".")
            if text is None:
                path.unlink()
            else:
                path.write_text(text)

    def with_pair(name: str, made: datetime.datetime) -> key_pair.KeyPair:
        pair = key_pair.generate_key_pair(f"{name}@{OWNER}", "ecdsa-p384", 30, made)
        bad(name, client_crt=pair.certificate.pem, client_key=pair.private_key)
        return pair

    bad("kvm-forbidden", {"project": projects["theirs"]})
    bad("kvm-no-owner", {"owner": None})
    bad("kvm-pin", server_crt=certificate)
    bad("kvm-no-pin", server_crt=None)
    bad("kvm-bad-pin", server_crt="nothing\n")
    # LXD takes neither into its trust store: the one was good once, the other will be.
    with_pair("kvm-expired", NOW - YEAR)
    with_pair("kvm-early", NOW + YEAR)
    other = with_pair("kvm-untrusted", NOW)
    bad("kvm-mismatched", client_key=other.private_key)
    bad("kvm-passphrase", client_key=sealed((good / "client.key").read_text()))
    bad("kvm-no-key", client_key=None)
    bad("kvm-down", {"url": "https://127.0.0.1:1"})
    bad("kvm-broken", vmhost_yml="url: [\n")
    bad("kvm-typo", {"pojects": "x"})
    for name, project in (("kvm-theirs", projects["theirs"]), ("kvm-nobodys", projects["nobodys"])):
        register_vm_host(site, tenant.lxd, project, name)
    # A certificate without restrictions is told that a project isn't there; a restricted one is told nothing.
    trusted_by_all = with_pair("kvm-no-project", NOW)
    tenant.lxd.trust(trusted_by_all.certificate.pem, name=f"{tenant.project}-admin")
    path = site.registry / "kvm-no-project" / "vmhost.yml"
    path.write_text(yaml.safe_dump({**entry, "project": "missing"}))


@dataclasses.dataclass(frozen=True)
class Run:
    """All tasks' results by case, the world before and after, and everything that was printed."""

    results: Mapping[str, Mapping[str, Any]]
    before: Any
    after: Any
    printed: str


def on_disk(site: Site) -> dict[str, tuple[int, bytes]]:
    found = (path for path in site.registry.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mode, path.read_bytes()) for path in found}


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """What a case says with what only this run knows put in."""
    if isinstance(value, Mapping):
        return {key: filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, words) for inner in value]
    return words.get(value, value) if isinstance(value, str) else value


def played(site: Site, cases: list[Case], words: Mapping[str, str]) -> PlayResult:
    """The cases as tasks of one playbook."""
    # On an error Ansible prints the lines of the playbook around it.
    hidden = {**words, SECRET: "{{ secret }}"}
    tasks = [
        {"name": case.name, "tenantry.lxd.lxd_vm_compose": filled(case.task, hidden), "ignore_errors": True}
        for case in cases
    ]
    return site.play(tasks, environment={"ANSIBLE_PIPELINING": "1"}, variables={"secret": SECRET}, verbosity=3)


def ended(site: Site, case: Case, words: Mapping[str, str]) -> dict[str, Any]:
    """What the module itself says, with the rows that the action plugin would hand over."""
    said = filled(case.task, words)
    spoken = [said, said.get("defaults"), *(said["vms"] if isinstance(said["vms"], list) else ())]
    names = {each["vmhost"] for each in spoken if isinstance(each, dict) and each.get("vmhost")}
    store = file_store.FileStore(str(site.registry))
    known = [rows.row(store, name, lambda path: Path(path).read_text(), {}) for name in sorted(names)]
    printed, found = io.StringIO(), json.dumps({"_connections": known})
    with (
        patch_module_args({**said, "registry": str(site.registry), FROM_CONTROLLER: found}),
        contextlib.redirect_stdout(printed),
        pytest.raises(SystemExit) as end,
    ):
        lxd_vm_compose.main()
    result = json.loads(printed.getvalue())
    return {**result, "outcome": "failed" if end.value.code == 1 and result["failed"] else "ok"}


@pytest.fixture(scope="module")
def run(lxd: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Every case once; those that go by Ansible in two playbooks side by side."""
    root = tmp_path_factory.mktemp("bad")
    names = {word: f"bad-{uuid.uuid4().hex[:8]}-{word}" for word in ("ours", "theirs", "nobodys")}
    try:
        owners = {"ours": OWNER, "theirs": "others", "nobodys": None}
        for word, owner in owners.items():
            create_confined_project(lxd, names[word], owner, **OVERCOMMITTED)
        furnish(lxd, names["ours"])
        sites = [Site.create(root / "one"), Site.create(root / "two")]
        tenant = register_vm_host(sites[0], lxd, names["ours"])
        register_bad_hosts(tenant, names)
        sites[1].registry.symlink_to(sites[0].registry)
        before = (lxd.fingerprint_of_world(), on_disk(sites[0]))
        pin = key_pair.read_certificate(lxd.certificate).fingerprint
        words = {"URL": lxd.url, "PROJECT": tenant.project, "PIN": pin, "br": lxd.bridge}
        by_ansible = [case for case in CASES if case.by_ansible]
        with ThreadPoolExecutor() as side_by_side:
            halves = list(side_by_side.map(played, sites, (by_ansible[::2], by_ansible[1::2]), (words, words)))
        here = {case.name: ended(sites[0], case, words) for case in CASES if not case.by_ansible}
        after = (lxd.fingerprint_of_world(), on_disk(sites[0]))
        tasks = [each for half in halves for each in half.tasks]
        there = {each["task"]: {**each["result"], "outcome": each["outcome"]} for each in tasks}
        yield Run({**there, **here}, before, after, "".join(half.output for half in halves))
    finally:
        for entry in lxd.api("GET", "/1.0/certificates", query={"recursion": 1}):
            if entry["name"].startswith(names["ours"]):
                lxd.api("DELETE", f"/1.0/certificates/{entry['fingerprint']}")
        for name in names.values():
            discard_project(lxd, name)


def test_nothing_was_written(run: Run) -> None:
    assert differences(run.before[0], run.after[0]) == []
    assert run.before[1] == run.after[1]


def test_no_secret_and_no_traceback_was_printed(run: Run) -> None:
    assert SECRET not in run.printed and SECRET not in json.dumps(dict(run.results))
    assert "Traceback (most recent call last)" not in run.printed + json.dumps(dict(run.results))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(run: Run, case: Case) -> None:
    result = run.results[case.name]
    assert result["outcome"] == "failed", result
    assert result["code"] == case.code, result["msg"]
    assert not result.get("changed") and not result.get("actions")
    said = result["msg"].lower()
    assert "\n" not in result["msg"] and [word for word in case.message if word.lower() not in said] == [], result[
        "msg"
    ]
    assert case.hint.lower() in result["hint"].lower(), result["hint"]
    assert bool(result["hint"]) == bool(case.hint), "a hint that the table doesn't have"
    assert len(result["msg"]) < 700


def test_a_list_with_several_bad_vms_is_put_right_in_one_go(lxd: Daemon, run: Run, tmp_path: Path) -> None:
    name = f"bad-{uuid.uuid4().hex[:8]}"
    create_confined_project(lxd, name, **OVERCOMMITTED)
    try:
        tenant = register_vm_host(Site.create(tmp_path / "site"), lxd, name)
        bad: list[dict[str, Any]] = [
            {"name": "a", "memory": "2 gigs"},
            {"name": "good"},
            {"name": "b", "interfaces": [{}]},
            {"name": "c_c"},
        ]
        refused = tenant.compose(bad, fails=True)
        assert refused["msg"].startswith("3 VMs are refused: ") and refused["code"] == "invalid"
        for word in ("VM a: memory", "VM b: interfaces", "'c_c'"):
            assert word in refused["msg"]
        assert [line.partition(";")[0] for line in refused["refused"]] == [
            "VM a: memory: '2 gigs' is not a size",
            "VM b: interfaces: eth0 has neither a network nor a parent",
            "vms: name: LXD takes no instance called 'c_c'",
        ]
        # What only the server knows comes when all of them could be right.
        unknown: list[dict[str, Any]] = [
            {"name": "a", "image": "nothing"},
            {"name": "good"},
            {"name": "b", "profiles": ["huge"]},
            {"name": "c", "hugepages": True},
        ]
        refused = tenant.compose(unknown, fails=True)
        assert refused["code"] == "not_found" and len(refused["refused"]) == 3
        for word in ("VM a on kvm-01: image", "VM b on kvm-01: profiles", "VM c on kvm-01: hugepages"):
            assert word in refused["msg"]
        assert tenant.instances() == {} and "\n" not in refused["msg"]
    finally:
        discard_project(lxd, name)
