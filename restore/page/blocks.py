"""Gradio's Blocks, with failures of Gradio's own as sentences too."""

import gradio as gr

from .guard import origin
from .work import log, sentences


class Page(gr.Blocks):
    """Blocks whose every call ends in a result or a sentence, and never in a trace in the log."""

    async def process_api(self, *arguments: object, **options: object) -> dict:
        try:
            return await super().process_api(*arguments, **options)
        except gr.Error as error:
            error.print_exception = False
            raise
        except ValueError as error:  # of Gradio's checks: those of our functions are sentences
            log.error("%s in %s", type(error).__name__, origin(error))
            failure = ValueError("The function takes other arguments than these: see ?view=api.")
        except SystemExit:  # it would end the server
            failure = RuntimeError("a run was ended from within")
        except Exception as error:
            failure = error
        with sentences():
            raise failure
