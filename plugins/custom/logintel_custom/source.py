"""The custom source: log files and lines whose format is described in the configuration."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from logintel.formats import Format, FormatRegistry
from logintel.inputs.text_source import TextSource, TextSourceConfig
from logintel_custom.custom_format import CustomFormat
from logintel_custom.format_config import FormatConfig
from logintel_custom.samples import Sample, differences


class CustomConfig(TextSourceConfig):
    """Keys of the custom source."""

    format: Annotated[FormatConfig, Field(description="How a record is taken apart.")]
    samples: Annotated[
        tuple[Sample, ...],
        Field(description="Texts and the events that they have to become: `config check` tries them."),
    ] = ()

    def form(self, formats: FormatRegistry) -> Format:  # noqa: ARG002 - it is not an installed one
        """See TextFilesConfig."""
        return CustomFormat(self.format)

    @model_validator(mode="after")
    def _samples_become_what_they_have_to(self) -> Self:
        errors = [
            InitErrorDetails(
                type=PydanticCustomError("sample", "{text}", {"text": text}), loc=("samples", number), input=sample.text
            )
            for number, sample in enumerate(self.samples)
            for text in differences(sample, CustomFormat(self.format), self.framing(), self.reading)
        ]
        if errors:
            raise ValidationError.from_exception_data("samples", errors)
        return self


class CustomSource(TextSource):
    """Log files and lines of any format, described in the configuration alone."""

    type = "custom"
    Config = CustomConfig
    config: CustomConfig
