# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From rows to files: what is on which page, and that what others chose only shows."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._report import host_page, overview, visible
from ansible_collections.tenantry.lxd.plugins.module_utils._report.pages import Pages
from ansible_collections.tenantry.lxd.plugins.module_utils._report.site import Settings, render_site

from tests.unit.plugins.module_utils._report.report_world import GIB, PEM, TEMPLATES, lost, row, shown, unread, vm


class Reader(html.parser.HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_host_has_its_page_and_its_certificate() -> None:
    files = shown(row("kvm-01"), row("kvm-02"), unread("kvm-dead"))
    assert {name for name in files if "/" in name} == {
        "certificates/index.html",
        *(f"hosts/{name}.html" for name in ("kvm-01", "kvm-02", "kvm-dead")),
        *(f"certificates/{name}.crt" for name in ("kvm-01", "kvm-02", "kvm-dead")),
    }
    assert files["certificates/kvm-01.crt"] == PEM
    assert Reader(files["index.html"]).text.count("kvm-02") == 1


def test_project_part_tells_vms_apart_and_gives_a_command_for_each_action() -> None:
    vms = [
        vm("web-1", cores="2-3,8", addresses=["10.0.0.7"], config={"user.tenantry.annotation.ticket": "OPS-1"}),
        vm("by-hand", owner=None),
        vm("safe", status="Stopped", config={"user.tenantry.protected": "true"}),
    ]
    page = Reader(shown(row(vms=vms))["hosts/kvm-01.html"])
    for text in ("cores 2-3, 8", "10.0.0.7", "OPS-1", "enlisted", "protected"):
        assert text in page.text, text
    commands = re.findall(r"ansible localhost -i inventory -m tenantry\.lxd\.lxd_vm_compose -a '(.*?)'", page.text)
    asked = {(one["name"], one.get("state")) for line in commands for one in json.loads(line)["vms"]}
    assert asked == {
        ("NEW", None),
        *(("web-1", state) for state in ("stopped", "restarted", "released", "absent")),
        *(("safe", state) for state in ("started", "released")),
    }


@pytest.mark.parametrize("name", ["x{{ lookup('pipe', 'id') }}", "{% set a %}", "-x", "a b", "ä"])
def test_no_command_has_a_name_that_ansible_would_take_for_a_template(name: str) -> None:
    files = shown(row(name, [vm(name), vm("web-1")]))
    [page] = [text for file, text in files.items() if file.startswith("hosts/")]
    lines = re.findall(r"<code>ansible localhost[^<]*", page)
    assert lines == [], "the person's own ansible would fill the template"
    of_plain = Reader(shown(row("kvm-01", [vm(name), vm("web-1")]))["hosts/kvm-01.html"]).text
    assert set(re.findall(r'"vms": \[{"name": "([^"]*)"', of_plain)) == {"NEW", "web-1"}


def test_a_vm_of_whom_nobody_can_tell_is_neither_ours_nor_enlisted() -> None:
    files = shown(row(vms=[lost("far"), vm("near")]))
    page = Reader(files["hosts/kvm-01.html"]).text
    assert "origin unknown" in page and "enlisted" not in page
    assert "any 1" not in page and "far (" not in page, "a number of cores that nobody told"
    assert not re.findall(r'"name": "far"', page), "commands for what may be anybody's"
    found = json.loads(files["vms.js"].removeprefix("window.TENANTRY = ").rstrip(";\n"))
    assert {one[0]: (one[4], one[5], one[8]) for one in found["vms"]} == {
        "far": (None, "?", 2),
        "near": (2, "4 GiB", 0),
    }
    assert 'status="Error",origin="unknown"} 1' in files["metrics.prom"]


def test_a_host_that_could_not_be_read_has_no_numbers() -> None:
    files = shown(unread())
    page = Reader(files["hosts/kvm-dead.html"]).text
    assert "0 running" not in page and "0 stopped" not in page and "VMs 0" not in page
    assert "0 running" not in Reader(files["index.html"]).text
    with_another = Reader(shown(unread(), row(vms=[vm("a")]))["index.html"]).text
    assert "1 running" in with_another and "without 1 VM host that could not be read" in with_another


POOLS: list[Any] = [
    pytest.param({"space": (None, None)}, id="nobody told how large it is"),
    pytest.param({"space": (1000 * GIB, None)}, id="nobody told what is used"),
]


@pytest.mark.parametrize("unknown", POOLS)
def test_storage_that_nobody_knows_is_not_none_left(unknown: dict[str, Any]) -> None:
    host = row("kvm-02", [vm("a")], **unknown)
    assert host_page.build_summary(host, [], "kvm-02")["storage"].state == "unknown"
    assert host_page.sum_storage(host["resources"]) is None
    both = overview.sum_vmhosts([host, row("kvm-01", [vm("a")])])
    assert (both["storage"].ours, both["storage"].total) == ("20 GiB", "1000 GiB"), "ours without its total"
    assert both["storage"].left_out == 1 and both["storage"].state == "fine"


def test_days_left_are_marked_by_what_the_option_says() -> None:
    soon = row(days_left=45)
    assert 'class="warn"' not in shown(soon)["certificates/index.html"]
    assert 'class="warn"' in shown(soon, expires_within=60)["certificates/index.html"]


def test_the_line_for_curl_is_quoted() -> None:
    page = Reader(shown(row(), published_at="https://x/$(id) a/")["certificates/index.html"]).text
    assert "curl -fsSO 'https://x/$(id) a/certificates/kvm-01.crt'" in page


def test_a_published_certificate_is_fetched_and_trusted_by_one_line() -> None:
    files = shown(row(), published_at="https://intranet.example.com/vmhosts/")
    line = "curl -fsS https://intranet.example.com/vmhosts/certificates/kvm-01.crt | lxc config trust add - "
    assert line + "--name team-a-kvm-01 --restricted --projects tenant-a" in Reader(files["hosts/kvm-01.html"]).text


def test_resources_part_has_each_core_once_a_view_with_the_vm_on_it() -> None:
    page = shown(row(vms=[vm("db-1", cores="0-1"), vm("db-2", cores="1,8")]))["hosts/kvm-01.html"]
    cores = re.findall(r'<li class="core (\w+)"(?: title="([^"]*)")?><b>(\d+)</b>', page)
    assert len(cores) == 2 * 16
    by_node, whole = cores[:16], cores[16:]
    assert sorted(by_node, key=lambda core: int(core[2])) == whole
    assert [(kind, title) for kind, title, _number in whole[:2]] == [
        ("h1", "core 0: db-1"),
        ("many", "core 1: db-1, db-2"),
    ]
    assert [title for _kind, title, _number in whole if title] == ["core 0: db-1", "core 1: db-1, db-2", "core 8: db-2"]
    assert "up to 63 virtual functions" in page


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }} {% raw %} {#",
    "</textarea></title></table>",
    "javascript:alert(1)",
    "'; drop <!-- --> ]]>",
    "\x1b[31mred\x07\x00",
    "\u202eevil\u2066",
    "two\nlines\r\n",
    "\ud800half",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_what_others_chose_only_shows(nasty: str) -> None:
    vms = [
        vm(nasty, description=nasty, config={f"user.tenantry.annotation.{nasty}": nasty, "user.tenantry.tags": nasty})
    ]
    entry = {"zone": nasty, "pool": nasty, "tags": [nasty], "default_network": nasty}
    host = row(nasty, vms, entry=entry, exposure=[nasty], project=nasty)
    error = {"code": "unreachable", "msg": nasty, "hint": nasty}
    files = shown(host, {**unread("kvm-02"), "error": error}, title=nasty)
    plain = shown(row("plain", [vm("plain")]), unread("kvm-02"))
    allowed = {tag for name in plain if name.endswith(".html") for tag in Reader(plain[name]).tags} | {
        "b",
        "details",
        "summary",
    }
    for name, text in files.items():
        text.encode("utf-8")
        if name.endswith(".html"):
            page = Reader(text)
            assert set(page.tags) <= allowed, name
            assert not [key for key, _value in page.attributes if key.startswith("on") or key == "style"], name
            assert visible.escape_text(nasty) in page.text, name
            assert re.search("[\x00\x03-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text) is None, name
    reported = json.loads(files["report.json"])
    assert [each["vmhost"] for each in reported["vmhosts"] if each["vmhost"] != "kvm-02"] == [nasty]
    assert "\n" not in files["vms.js"].rstrip("\n") and "<" not in files["vms.js"].replace(nasty, "")


def test_nothing_is_asked_of_anybody_else() -> None:
    for name, text in shown(row(vms=[vm("web-1")]), unread()).items():
        if name.endswith(".html"):
            asked = [value for key, value in Reader(text).attributes if key in ("src", "href", "action") and value]
            assert [url for url in asked if re.match(r"[a-z]+:|//", url) and not url.startswith("data:")] == [], name
            assert "default-src 'none'" in text, name
        if name.endswith((".css", ".js")):
            said = re.sub(r"/\*.*?\*/|// .*", "", text, flags=re.DOTALL)
            assert re.search(r"https?:|//[a-z]|@import|url\(", said) is None, name


def test_what_a_config_holds_besides_is_not_published() -> None:
    files = shown(row(vms=[vm("web-1", config={"environment.PASSWORD": "hunter2", "user.secret": "hunter2"})]))
    assert [name for name, text in files.items() if "hunter2" in text] == []


def test_report_json_has_the_info_modules_own_figures() -> None:
    there = row(vms=[vm("web-1")])
    (host,) = json.loads(shown(there)["report.json"])["vmhosts"]
    assert host["resources"] == there["resources"]
    assert host["vms"][0]["name"] == "web-1" and host["vms"][0]["enlisted"] is False
    assert host["certificate"]["days_left"] == 3000 and "pem" not in host["certificate"]


def test_search_has_every_vm_with_its_host() -> None:
    text = shown(row("kvm-02", [vm("b", owner=None)]), row("kvm-01", [vm("a", addresses=["10.0.0.9"])]))["vms.js"]
    found = json.loads(text.removeprefix("window.TENANTRY = ").rstrip(";\n"))
    told = [(one[0], found["hosts"][one[1]][0], one[3], one[8]) for one in found["vms"]]
    assert told == [("a", "kvm-01", "10.0.0.9", 0), ("b", "kvm-02", "", 1)]


METRICS = [
    ('tenantry_vmhost_up{vmhost="kvm-01",zone="",pool=""} 1', "a host that was read"),
    ('tenantry_vmhost_up{vmhost="kvm-dead",zone="north",pool="production"} 0', "one that wasn't"),
    ('tenantry_vmhost_cpu_cores{vmhost="kvm-01",zone="",pool=""} 16', "cores"),
    ('tenantry_vmhost_cpu_cores_promised{vmhost="kvm-01",zone="",pool=""} 2', "ours"),
    ('tenantry_vmhost_cpu_cores_free{vmhost="kvm-01",zone="",pool=""} 14', "free"),
    (f'tenantry_vmhost_memory_bytes{{vmhost="kvm-01",zone="",pool=""}} {64 << 30}', "bytes"),
    ('tenantry_vmhost_vms{vmhost="kvm-01",zone="",pool="",status="Running",origin="ours"} 1', "VMs"),
    ('tenantry_tenant_certificate_expiry_timestamp_seconds{vmhost="kvm-01",zone="",pool=""} 2082758400', "an end"),
]


@pytest.mark.parametrize(("line", "_of"), METRICS)
def test_metrics(line: str, _of: str) -> None:
    text = shown(row(vms=[vm("web-1")]), unread())["metrics.prom"]
    assert line in text.splitlines()


def test_metrics_are_what_prometheus_takes() -> None:
    text = shown(row('a"b\\c\nd', vms=[vm("x")]), unread())["metrics.prom"]
    sample = re.compile(r'([a-z_]+)\{([a-z_]+="(?:[^"\\\n]|\\.)*",?)+\} -?\d+')
    seen: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            seen.append(line.split()[2])
        elif not line.startswith("# HELP"):
            found = sample.fullmatch(line)
            assert found and found[1] == seen[-1], line
    assert len(seen) == len(set(seen)) and len(seen) > 15
    assert all(f"# HELP {name} " in text for name in seen)


def test_a_users_template_comes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "vms.html.j2").write_text("{{ title }} of mine")
    found = render_site([row()], Settings("<b>", 30), Pages([str(tmp_path), TEMPLATES])).files
    assert found["vms.html"] == "&lt;b&gt; of mine" and found["index.html"].startswith("<!doctype html>")


BAD_TEMPLATES: list[tuple[str, str]] = [
    ("{% if %}", "line 1"),
    ("{{ no_such_thing }}", "no_such_thing"),
    ("{{ fleet / 2 }}", "TypeError"),
    ("{% extends 'gone.j2' %}", "gone.j2 is in none of"),
]


@pytest.mark.parametrize(("text", "said"), BAD_TEMPLATES)
def test_a_bad_template_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "vms.html.j2").write_text(text)
    with pytest.raises(errors.Invalid) as refused:
        render_site([row()], Settings("x", 30), Pages([str(tmp_path), TEMPLATES]))
    assert said in refused.value.message


def test_two_hosts_never_share_a_file() -> None:
    rows: list[Any] = [row("a b"), row("a-b"), row("A-B"), row("index")]
    assert len([name for name in shown(*rows) if name.startswith("hosts/")]) == 4
    assert "certificates/index.html" in shown(*rows)


def test_a_host_whose_name_is_free_has_its_own_file() -> None:
    rows: list[Any] = [row("A"), row("a"), row("a-2"), row("a 2")]
    reported = json.loads(shown(*rows)["report.json"])["vmhosts"]
    assert {each["vmhost"]: each["page"] for each in reported} == {"A": "A", "a": "a-3", "a-2": "a-2", "a 2": "a-2-2"}
