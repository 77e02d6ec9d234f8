"""The choice among plugins: a part of the configuration whose model is that of the plugin that its `type` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from logintel.config.problem import nearest
from logintel.config.section import Choice, Setting, setting_of
from logintel.event import Json

if TYPE_CHECKING:
    from logintel.hooks import Plugins


class _Configured(Protocol):
    @property
    def Config(self) -> type[BaseModel]: ...  # noqa: N802 - the name of the plugins' attribute


class PluginChoice(Choice):
    """Validates by the `Config` of the plugin class that the value names as its type.

    kind  what is chosen; `needs`: what it has at least, for the message when it is something else altogether
    """

    def __init__(self, kind: Literal["source", "enricher"], needs: str) -> None:
        self.kind, self.needs = kind, needs

    def model(self, value: dict[str, Json], setting: Setting) -> type[BaseModel] | None:
        """See Choice."""
        found = self._offered(setting.plugins).get(str(value.get("type")))
        return found.Config if found else None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validated,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda config, info: config.model_dump(mode=info.mode), info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "anyOf": [
                {"allOf": [handler(found.Config.__pydantic_core_schema__), {"properties": {"type": {"const": name}}}]}
                for name, found in sorted(self._offered(Setting().plugins).items())
            ]
        }

    def _offered(self, plugins: Plugins) -> Mapping[str, _Configured]:
        return plugins.sources if self.kind == "source" else plugins.enrichers

    def _validated(self, value: Any, info: ValidationInfo) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("plugin", "{message}", {"message": f"expected {self.needs}"})
        setting, kind = setting_of(info), str(value.get("type"))
        offered = self._offered(setting.plugins)
        if kind not in offered:
            message = f"unknown {self.kind} type {kind!r}{nearest(kind, offered)}"
            wrong = PydanticCustomError("plugin_type", "{message}", {"message": message})
            detail = InitErrorDetails(type="missing" if "type" not in value else wrong, loc=("type",), input=kind)
            raise ValidationError.from_exception_data(self.kind, [detail])
        try:
            return offered[kind].Config.model_validate(value, context=setting)
        except ValidationError:
            raise
        except Exception as error:
            # A plugin's validators are foreign code: what they raise must not hide the problems of other keys.
            message = f"{self.kind} type {kind!r} failed on it: {type(error).__name__}: {error}"
            raise PydanticCustomError("plugin_failed", "{message}", {"message": message}) from error
