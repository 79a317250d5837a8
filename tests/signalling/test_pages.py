"""The pages: headers, caching, and that nothing but what was built can be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.signalling.conftest import House, OpenHouse


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    for name in ("index", "theatre", "consult"):
        (folder / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (folder / "observe").mkdir()
    (folder / "observe" / "index.html").write_text("<!doctype html><title>observe</title>")
    (folder / "assets" / "main-Ab12Cd34.js").write_text("export {};")
    (folder / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
async def pages(open_house: OpenHouse, static: Path) -> House:
    return await open_house(static=static)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/", "index"),
        ("/theatre/7QK2", "theatre"),
        ("/consult/7QK2", "consult"),
        ("/observe/7QK2", "observe"),
    ],
)
async def test_a_page(pages: House, path: str, title: str) -> None:
    async with pages.http.get(f"{pages.url}{path}") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert title in await response.text()
        policy = response.headers["Content-Security-Policy"]
        for part in (
            "default-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ):
            assert part in policy
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert "camera=(self), microphone=(self)" in response.headers["Permissions-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Strict-Transport-Security" not in response.headers, "plain HTTP"
        assert "Set-Cookie" not in response.headers


async def test_hashed_files_never_change_and_others_are_asked_about(pages: House) -> None:
    async with pages.http.get(f"{pages.url}/assets/main-Ab12Cd34.js") as response:
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.content_type == "text/javascript"
    async with pages.http.get(f"{pages.url}/favicon.svg") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        etag = response.headers["ETag"]
    async with pages.http.get(f"{pages.url}/favicon.svg", headers={"If-None-Match": etag}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/link.txt",
        "//secret.txt",
        "/secret.txt%00.js",
        "/theatre/..",
        "/theatre/%2e%2e%2fx",
        "/theatre/<script>",
        "/theatre/",
        "/index",
        "/operations.html",
    ],
)
async def test_nothing_else_can_be_had(pages: House, path: str) -> None:
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", pages.listener.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.split(b" ", 2)[1] in (b"404", b"400"), answer
    assert b"secret\n" not in answer
    assert not answer.endswith(b"secret")


@pytest.mark.parametrize("path", ["/theatre", "/theatre/", "/observ/7QK2", "/observe/7QK2/"])
async def test_a_broken_link_leads_a_person_to_the_lobby_and_a_program_to_a_problem(
    pages: House, path: str
) -> None:
    accept = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    async with pages.http.get(f"{pages.url}{path}", headers=accept) as response:
        assert (response.status, response.content_type) == (404, "text/html")
        assert "index" in await response.text()
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    async with pages.http.get(f"{pages.url}{path}") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")
    async with pages.http.get(f"{pages.url}/api/v1/join", headers=accept) as response:
        assert response.status == 405, "what is there for another method is not lost"


async def test_unbuilt_pages_say_how_to_build_them(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house(static=tmp_path / "nothing")
    async with house.http.get(f"{house.url}/theatre/7QK2") as response:
        assert response.status == 404
        assert "make" in await response.text()
