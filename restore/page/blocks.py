"""Gradio's Blocks, with failures of Gradio's own as sentences too, and words for programs."""

from inspect import signature

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.utils import get_function_description
from pydantic import TypeAdapter

from .guard import WRONG_CALL, origin
from .work import log, sentences


class Page(gr.Blocks):
    """Blocks whose every call ends in a result or a sentence, and never in a trace in the log."""

    async def process_api(
        self, block_fn: BlockFunction, inputs: list, *arguments: object, **options: object
    ) -> dict:
        try:
            inputs = taken(block_fn, inputs)
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


def taken(called: BlockFunction, inputs: list) -> list:
    """What a public function is called with: of the types that it declares, and all of it.

    gradio_client fills in what is left out at the end; who writes the list by hand need not know
    it. Raises ValueError for what does not fit.
    """
    if called.api_visibility != "public":
        return inputs
    declared = [*signature(called.fn).parameters.values()][: len(called.inputs)]
    given = [
        TypeAdapter(one.annotation).validate_python(value)
        for one, value in zip(declared, inputs, strict=False)
    ]
    left_out = declared[len(given) :]
    return given + [one.default for one in left_out if one.default is not one.empty]
