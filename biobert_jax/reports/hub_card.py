"""README.md of a model's folder on the Hugging Face hub: what the hub reads, how to use the model,
and the model card.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from biobert_jax.reports.render import markdown

_USE = {
    "BertForTokenClassification": (
        "token-classification",
        'pipeline("token-classification", model={name}, aggregation_strategy="first")',
        'Only the first piece of each word was trained. `aggregation_strategy="first"` gives its '
        'label to the word; `"simple"` gives pieces of words.',
    ),
    "BertForSequenceClassification": (
        "text-classification",
        'pipeline("text-classification", model={name})',
        "Sentences must be marked as in training.",
    ),
    "BertForQuestionAnswering": (
        "question-answering",
        "AutoModelForQuestionAnswering.from_pretrained({name})",
        "The outputs are the logits of an answer's first and last piece.",
    ),
}
_OTHERS = (
    "feature-extraction",
    "AutoModel.from_pretrained({name})",
    "The encoder's vectors; fine-tune it for a task.",
)


class Publication(NamedTuple):
    """What a model card on the hub says that the run does not know.

    Attributes:
      name: what a user loads: owner/name on the hub, or the folder.
      architecture: transformers' class, as config.json names it.
      license: an identifier of the hub, such as apache-2.0.
      base_model: owner/name of the hub, where training started from one.
    """

    name: str
    architecture: str
    license: str
    base_model: str | None = None


def hub_readme(said: Publication, card: str) -> str:
    """The README as Markdown, with YAML in front that the hub reads.

    Args:
      said: about the publication.
      card: what `model_card` returned.
    """
    tag, call, note = _USE.get(said.architecture, _OTHERS)
    front: Mapping[str, Any] = {
        "license": said.license,
        "language": ["en"],
        "library_name": "transformers",
        "pipeline_tag": tag,
        "tags": ["biobert", "biomedical", "biobert_jax"],
    }
    if said.base_model:
        front = {**front, "base_model": said.base_model}
    # JSON is YAML, and leaves no question of quotation marks.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()]
    imported = call.partition("(")[0].partition(".")[0]
    name = json.dumps(said.name, ensure_ascii=False)
    use = [
        "```python",
        f"from transformers import {imported}",
        "",
        f"model = {call.format(name=name)}",
        "```",
    ]
    return "\n".join(
        ["---", *lines, "---", "", card.strip(), "", "## Use", "", *use, "", note, ""]
        + [f"Licence of the weights: {markdown(said.license)}.", ""]
    )
