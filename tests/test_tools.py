"""The page's functions as MCP tools, asked for with the protocol's own client."""

import asyncio
import base64
import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from restore import load
from restore.photo import decode

pytest.importorskip("mcp", reason='needs pip install "mcp<2"')
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from steps import alike

pytestmark = pytest.mark.slow
TOOLS = {"restore_photo", "compare_models", "distort_photo"}


def ask(page_url: str, question):
    """What `question(session)` answers."""

    async def asking():
        async with (
            streamable_http_client(f"{page_url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await question(session)

    with ThreadPoolExecutor(1) as thread:  # this one has the loop of a browser's tests
        return thread.submit(asyncio.run, asking()).result()


def call(page_url: str, tool: str, **arguments):
    """As a client that shows progress: only such a one gets pictures, others get addresses."""

    async def progress(*_: object) -> None:
        pass

    def calling(session: ClientSession):
        return session.call_tool(tool, arguments, progress_callback=progress)

    return ask(page_url, calling)


def uploaded(page_url: str, path) -> str:
    with path.open("rb") as file:
        answer = httpx.post(f"{page_url}gradio_api/upload", files={"files": (path.name, file)})
    return answer.json()[0]


def pictures(result) -> list[np.ndarray]:
    assert not result.isError, result.content[0].text
    data = [base64.b64decode(one.data) for one in result.content if one.type == "image"]
    return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in data]


def test_the_three_functions_say_what_they_are_for(page_url):
    tools = {tool.name: tool for tool in ask(page_url, lambda s: s.list_tools()).tools}
    assert set(tools) == TOOLS
    for tool in tools.values():
        described = tool.inputSchema["properties"]
        assert all(one.get("description") for one in described.values()), described
        assert tool.inputSchema["required"] == ["photo"]
        assert "Returns: " in tool.description


def test_a_photo_is_restored_as_the_library_does(page_url, cat):
    photo, clear = uploaded(page_url, cat.blurred), uploaded(page_url, cat.clear)
    result = call(page_url, "restore_photo", photo=photo, model="cnn", reference=clear)
    expected = load("cnn").restore(decode(cat.blurred).levels())
    assert any(alike(one, expected) for one in pictures(result))
    assert any("PSNR" in one.text for one in result.content if one.type == "text")


def test_an_address_of_this_page_will_do_as_well(page_url, cat):
    address = f"{page_url}gradio_api/file={uploaded(page_url, cat.clear)}"
    result = call(page_url, "distort_photo", photo=address, kind="gaussian", strength=2.0)
    (soft,) = pictures(result)
    clear = decode(cat.clear).levels()
    assert soft.shape == clear.shape
    assert soft.std() < clear.std()


@pytest.mark.parametrize(
    "photo",
    [
        "http://127.0.0.1:9/cat.png",
        "http://127.0.0.1:9/gradio_api/file=/etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
    ],
)
def test_nothing_is_fetched_and_no_other_file_read(page_url, photo):
    result = call(page_url, "restore_photo", photo=photo, model="cnn")
    assert result.isError
    assert "must be uploaded first" in result.content[0].text


def test_a_wrong_call_gets_a_sentence(page_url, cat):
    result = call(page_url, "restore_photo", photo=uploaded(page_url, cat.blurred), model="magic")
    assert result.isError
    assert "magic" in result.content[0].text
