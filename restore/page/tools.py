"""The page's three functions as tools of an MCP server, where the package mcp is installed.

Gradio's MCP server takes a photo by its address and fetches it, from wherever that is. This one
takes what an upload to this page gave back, as path or address, and fetches nothing.
"""

from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from gradio.mcp import GradioMCPServer
from gradio_client import handle_file

from .guard import API, is_uploaded


def are_possible() -> bool:
    """Whether there is an MCP package to serve them with; if so, only uploads are taken."""
    GradioMCPServer.convert_strings_to_filedata = _with_uploads
    return find_spec("mcp") is not None


def _with_uploads(server: GradioMCPServer, arguments: dict, photos: list[list[str]]) -> dict:
    """The arguments of a call, with the files that are meant at the places of `photos`."""
    names = [place[0] for place in photos]
    return {
        name: _uploaded(value) if value and name in names else value
        for name, value in arguments.items()
    }


def _uploaded(address: object) -> dict:
    path = unquote(urlsplit(str(address)).path).removeprefix(f"{API}/file=")
    if not is_uploaded(path):
        raise ValueError(
            f"A photo must be uploaded first: POST it as `files` to {API}/upload and give the "
            "path that comes back. Other addresses, paths and data are not taken."
        )
    return handle_file(path)
