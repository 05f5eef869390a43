"""Formulas as MathML, made when the site is built: pages need no script for them."""

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def visit_math(translator, node, block=False):
    code = node.astext()
    try:
        markup = tex2mathml(code, as_block=block)
    except MathError as error:
        logger.warning("%s in the formula %r", error, code, location=node)
        markup = ""
    translator.body.append(f'<div class="math">{markup}</div>' if block else markup)
    raise SkipNode


def visit_math_block(translator, node):
    visit_math(translator, node, block=True)


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
