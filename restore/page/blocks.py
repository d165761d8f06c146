"""Gradio's Blocks, with failures of Gradio's own as sentences too, and words for programs."""

from inspect import signature

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.utils import get_function_description

from .guard import WRONG_CALL, origin
from .work import log, sentences


class Page(gr.Blocks):
    """Blocks whose every call ends in a result or a sentence, and never in a trace in the log."""

    async def process_api(
        self, block_fn: BlockFunction, inputs: list, *arguments: object, **options: object
    ) -> dict:
        try:
            inputs = [*inputs, *left_out(block_fn, inputs)]
            return await super().process_api(block_fn, inputs, *arguments, **options)
        except gr.Error as error:
            error.print_exception = False
            raise
        except ValueError as error:  # of Gradio's checks: those of our functions are sentences
            log.error("%s in %s", type(error).__name__, origin(error))
            failure = ValueError(WRONG_CALL)
        except SystemExit:  # it would end the server
            failure = RuntimeError("a run was ended from within")
        except Exception as error:
            failure = error
        with sentences():
            raise failure

    def get_api_info(self, *arguments: object, **options: object) -> dict:
        """As Gradio tells programs of the page, but in the words of the functions' docstrings.

        Gradio takes the labels, which are keys of texts here, for the browser to swap.
        """
        info = super().get_api_info(*arguments, **options)
        for function in self.fns.values():
            endpoint = info["named_endpoints"].get(f"/{function.api_name}")
            if endpoint and function.api_visibility == "public":
                _, taken, given = get_function_description(function.fn)
                for one in endpoint["parameters"]:
                    one["label"] = taken[one["parameter_name"]].rstrip(".")
                for one, words in zip(endpoint["returns"], given, strict=True):
                    one["label"] = words
        return info


def left_out(called: BlockFunction, inputs: list) -> list:
    """The optional arguments that a call leaves out at its end.

    gradio_client fills them in by itself; one who writes the list by hand need not know them.
    """
    if called.api_visibility != "public":
        return []
    missing = [*signature(called.fn).parameters.values()][len(inputs) : len(called.inputs)]
    return [one.default for one in missing if one.default is not one.empty]
