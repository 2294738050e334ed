# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a real LXD in a real browser: read, sorted, filtered, switched; axe looks for what keeps people out."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._report import as_of
from ansible_collections.tenantry.lxd.plugins.module_utils._report import site as report_site
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.integration.playing import Site
from tests.integration.tenancy import Tenant, register_vm_host
from tests.integration.test_vm_compose import bare
from tests.lxd import packages
from tests.lxd.certificate import new_client_certificate
from tests.unit.plugins.module_utils._report.report_world import TEMPLATES, fleet, lost, made, row, unread, vm

NASTY = "{{ 7*7 }}<script>document.title='owned'</script>\x1b[31m"
PHONE = {"width": 390, "height": 844}


@dataclasses.dataclass(frozen=True)
class Window:
    """Opens pages of a folder, and remembers what they asked for and what they complained of."""

    browser: Browser
    folder: Path
    asked: list[str] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    def open(self, name: str, **how: Any) -> Page:
        """A page in a window of its own; `how`: `viewport`, `color_scheme`, `java_script_enabled`."""
        page = self.browser.new_context(**how).new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(f"{name}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"{name}: {error}"))
        page.goto(f"{self.folder.as_uri()}/{name}")
        return page

    @property
    def strangers(self) -> list[str]:
        """Requests that went beyond the folder."""
        return [url for url in self.asked if not url.startswith((self.folder.as_uri(), "data:"))]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium, one for all tests."""
    chromium = packages.BROWSING["chromium"]
    if packages.missing(packages.BROWSING):
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # As root Chromium wants no sandbox of its own; it opens nothing but files of ours.
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


def by_hand(tenant: Tenant, name: str) -> None:
    """A VM that a person made in the project with `lxc`."""
    body = {"name": name, "type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "description": NASTY}
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    tenant.lxd.api("POST", "/1.0/instances", {**body, "devices": root}, query={"project": tenant.project})


def files_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def names_of(page: Page, table: str) -> list[str]:
    return page.locator(f"{table} tbody tr:visible > th").all_inner_texts()


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    # It would fetch the style sheet once more, which the page forbids.
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    return [
        f"{page.url}: {it['id']}: {it['nodes'][0]['html']}" for it in found if it["impact"] in ("serious", "critical")
    ]


def test_a_real_vmhost_in_a_real_browser(tenant: Tenant, browser: Browser) -> None:
    vms = [
        bare("db-1", pinned_cores=[0]),
        bare("web-1", cores=2, tags=["front"], annotations={"ticket": "OPS-1"}),
        bare("web-2", protected=True),
    ]
    tenant.compose(vms)
    by_hand(tenant, "found")
    tenant.change("web-1", description=NASTY, config={"user.tenantry.annotation.ticket": NASTY})
    register_vm_host(tenant.site, tenant.lxd, tenant.project, "kvm-dead", url="https://127.0.0.1:1", zone="south")
    folder = tenant.site.root / "report"

    predicted = tenant.site.play("tenantry.lxd.report", check=True)
    assert predicted.rc == 0, predicted.output
    assert not folder.exists()
    played = tenant.site.play("tenantry.lxd.report")
    assert played.rc == 0, played.output
    assert played.last["actions"] == predicted.last["actions"] and played.last["changed"]
    assert played.last["report"]["unread"] == ["kvm-dead"] and played.last["report"]["vms"] == 4

    files = files_in(folder)
    assert not [name for name, text in files.items() if "PRIVATE KEY" in text]
    ours = (tenant.site.registry / tenant.vmhost / "client.crt").read_text()
    assert files[f"certificates/{tenant.vmhost}.crt"].split() == ours.split()
    check_same_figures(tenant, json.loads(files["report.json"]))

    window = Window(browser, folder)
    check_overview(window)
    check_host(window, tenant)
    check_search(window)
    check_without_javascript(window, tenant)
    assert window.strangers == [] and window.complaints == []
    check_a_second_run(tenant, folder, files)


def check_same_figures(tenant: Tenant, reported: dict[str, Any]) -> None:
    """What the page calls free is what lxd_vmhost_info calls free."""
    (info,) = tenant.site.run_task("lxd_vmhost_info", {"vmhost": tenant.vmhost})["vmhosts"]
    (host,) = [each for each in reported["vmhosts"] if each["vmhost"] == tenant.vmhost]
    for key in ("cores", "memory"):
        assert host["resources"][key]["free"] == info["resources"][key]["free"], key
        assert host["resources"][key]["ours"] == info["resources"][key]["ours"], key
    enlisted = {vm["name"]: vm["enlisted"] for vm in host["vms"]}
    assert enlisted == {"db-1": False, "web-1": False, "web-2": False, "found": True}


def check_overview(window: Window) -> None:
    for how in ({}, {"color_scheme": "dark"}, {"viewport": PHONE}):
        page = window.open("index.html", **how)
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), how
    page = window.open("index.html")
    assert "kvm-dead: https://127.0.0.1:1" in page.locator("section[aria-labelledby=attention]").inner_text()
    table = "#hosts-table"
    assert [name.split()[0] for name in names_of(page, table)] == ["kvm-dead", "kvm-01"], "hosts with a zone come first"
    page.get_by_role("button", name="VMs").last.click()
    page.locator(f"{table} th[aria-sort=ascending]").wait_for()
    page.get_by_role("button", name="VMs").last.click()
    assert [name.split()[0] for name in names_of(page, table)] == ["kvm-01", "kvm-dead"], "most VMs first"
    page.get_by_label("State").select_option("unreachable")
    assert [name.split()[0] for name in names_of(page, table)] == ["kvm-dead"]
    assert page.locator("form.filter output").inner_text() == "1 of 2"
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Theme").click(click_count=2, delay=10)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def check_host(window: Window, tenant: Tenant) -> None:
    name = f"hosts/{tenant.vmhost}.html"
    for how in ({}, {"color_scheme": "dark"}, {"viewport": PHONE}):
        page = window.open(name, **how)
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), how
    page = window.open(name)
    assert page.title().startswith(tenant.vmhost), "a script of a VM's description ran"
    assert "{{ 7*7 }}<script>" in page.locator("#vm-web-1").inner_text()
    assert "enlisted" in page.locator("#vm-found").inner_text()
    assert "enlisted" not in page.locator("#vm-web-1").inner_text()
    page.get_by_label("Filter", exact=True).fill("front")
    assert [each.split()[0] for each in names_of(page, "#vms-table")] == ["web-1"]
    page.locator("#vm-web-1 summary").click()
    command = page.locator("#vm-web-1 .cmd code").first.inner_text()
    assert '"state": "started"' in command and tenant.vmhost in command
    assert page.locator(".by-node .core[title='core 0: db-1']").is_visible()
    page.locator("label[for=numa-off]").click()
    assert page.locator(".whole .core[title='core 0: db-1']").is_visible()
    assert not page.locator(".by-node").is_visible()
    page.reload()
    assert page.locator("#numa-off").is_checked(), "the choice is remembered"


def check_search(window: Window) -> None:
    page = window.open("index.html")
    page.get_by_role("searchbox", name="Find a VM on any VM host").fill("found")
    page.keyboard.press("Enter")
    page.wait_for_url("**/vms.html?q=found")
    assert [each.split() for each in names_of(page, "#vms-table")] == [["found", "enlisted"]]
    assert serious(page) == []
    page.get_by_role("link", name="found").click()
    assert page.locator("#vm-found").is_visible()
    assert serious(window.open("certificates/index.html")) == []


def check_without_javascript(window: Window, tenant: Tenant) -> None:
    page = window.open(f"hosts/{tenant.vmhost}.html", java_script_enabled=False)
    assert [each.split()[0] for each in names_of(page, "#vms-table")] == ["db-1", "found", "web-1", "web-2"]
    assert page.locator("form:visible, button:visible").count() == 0, "what does nothing is not there"
    page.locator("label[for=numa-off]").click()
    assert page.locator(".whole").is_visible() and not page.locator(".by-node").is_visible()


def check_a_second_run(tenant: Tenant, folder: Path, before: dict[str, str]) -> None:
    """Only what a host uses at the moment may have changed; a host that is gone takes its files along."""
    shutil.rmtree(tenant.site.registry / "kvm-dead")
    (folder / "notes.txt").write_text("mine")
    # The registry is empty of no host, so the one that is left is all there is.
    started = tenant.site.start_module("lxd_report", {"templates": [TEMPLATES]}, tenant.vmhost)
    output, complaint = started.communicate(timeout=60)
    assert started.returncode == 0, complaint
    after = files_in(folder)
    assert set(before) - set(after) == {"hosts/kvm-dead.html", "certificates/kvm-dead.crt"}
    assert after["notes.txt"] == "mine"
    unchanged = {name for name in after if before.get(name) == after[name]}
    assert unchanged >= {f"certificates/{tenant.vmhost}.crt", "report.css", "report.js"}
    assert json.loads(output)["report"]["vmhosts"] == 1


def test_on_a_phone_all_is_reached_and_sorted(tmp_path: Path, browser: Browser) -> None:
    """Without headings there is a list to sort by, and the keyboard leads to nothing that can't be seen."""
    vms = [vm("db-1", cores="0-1"), vm("db-2", cores="1,8"), vm("web-1", status="Stopped")]
    written(tmp_path, made(row("kvm-01", vms), row("kvm-02", [vm("web-2"), lost("far")]), unread("kvm-dead")))
    window = Window(browser, tmp_path)
    hosts, certificates = "index.html", "certificates/index.html"
    page = window.open(hosts, viewport=PHONE)
    assert [name.split()[0] for name in names_of(page, "#hosts-table")] == ["kvm-dead", "kvm-01", "kvm-02"]
    sorting = page.locator("form[data-filter=hosts-table]").get_by_role("combobox", name="Sort by")
    sorting.select_option("VMs, descending")
    assert [name.split()[0] for name in names_of(page, "#hosts-table")] == ["kvm-01", "kvm-02", "kvm-dead"]
    page = window.open("vms.html", viewport=PHONE)
    page.get_by_role("combobox", name="Sort by").select_option("Status, descending")
    assert names_of(page, "#vms-table") == ["web-1", "db-1", "db-2", "web-2", "far origin unknown"]
    page.get_by_label("Origin").select_option("unknown")
    assert names_of(page, "#vms-table") == ["far origin unknown"]
    for name in (hosts, "hosts/kvm-01.html", "vms.html", certificates):
        page = window.open(name, viewport=PHONE)
        assert page.get_by_role("combobox", name="Sort by").first.is_visible(), name
        assert unseen_on_the_way(page) == [], name
        assert serious(page) == [], name
        assert page.get_by_role("table").first.get_by_role("row").count() > 1, name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert window.open(name).get_by_role("combobox", name="Sort by").count() == 0, "there are headings"
    page = window.open("hosts/kvm-01.html", viewport=PHONE)
    shared = page.locator(".by-node .core.many")
    assert not shared.get_by_text("db-2").is_visible()
    shared.get_by_text("2 VMs").click()
    assert shared.get_by_text("db-1").is_visible() and shared.get_by_text("db-2").is_visible()
    assert window.complaints == []


def written(folder: Path, site: report_site.Site, *wanted: str) -> None:
    """The files of a site in a folder: those that are wanted, or all."""
    for name, text in site.files.items():
        if not wanted or name in wanted:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(as_of.fill_in(text, "2026-11-21T12:00:00Z"))


def unseen_on_the_way(page: Page) -> list[str]:
    """What the tab key leads to and nobody sees, on a turn through the page."""
    look = """() => {
      const at = document.activeElement, box = at.getBoundingClientRect();
      const clipped = at.closest("thead") && getComputedStyle(at.closest("thead")).clipPath !== "none";
      return [at.tagName, clipped || box.width < 2 || box.height < 2 ? at.outerHTML : ""];
    }"""
    unseen = []
    for _each in range(120):
        page.keyboard.press("Tab")
        tag, hidden = page.evaluate(look)
        if tag == "BODY":
            break
        # The switch of the core map is shown by its labels.
        unseen += [hidden] if hidden and 'name="numa"' not in hidden else []
    return unseen


def test_what_the_vm_hosts_say_of_the_registry_counts_whatever_the_limit(site: Site) -> None:
    entry = site.root / "north" / "kvm-dead" / "vmhost.yml"
    entry.parent.mkdir(parents=True)
    entry.write_text("url: https://127.0.0.1:1\nproject: tenant-a\nowner: team-a\n")
    new_client_certificate(entry.parent)
    top = "{{ inventory_dir | dirname }}"
    said = {"vmhost_registry": f"{top}/north", "report_path": f"{top}/pages", "ansible_port": 1}
    inventory = {"lxd_vmhosts": {"hosts": {"kvm-01": {}, "kvm-02": {}}, "vars": said}}
    (site.root / "inventory" / "hosts.yml").write_text(yaml.safe_dump(inventory))
    played = site.play("tenantry.lxd.report", python="", arguments=("--limit", "kvm-02"))
    assert played.rc == 0, played.output
    told = json.loads((site.root / "pages" / "report.json").read_text())
    assert [each["vmhost"] for each in told["vmhosts"]] == ["kvm-dead"]
    assert not site.registry.exists()


def test_200_hosts_with_20000_vms_open_in_under_two_seconds(
    tmp_path: Path, browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    wanted = ("index.html", "vms.html", "vms.js", "report.css", "report.js", "hosts/kvm-001.html")
    written(tmp_path, made(*fleet(200, 100)), *wanted)
    window = Window(browser, tmp_path)
    for name in ("index.html", "vms.html", "hosts/kvm-001.html"):
        page = window.open(name)
        took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        record_property(name, took)
        print(f"{name}: {took:.0f} ms")
        assert took < 2000, name
    page = window.open("vms.html")
    page.get_by_role("searchbox", name="Find").fill("kvm-199")
    assert page.locator("#vm-search output").inner_text() == "100 of 19300"
    assert window.complaints == []
