"""What models say of themselves, by themselves and with values, and of a slot that there is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hpcsnn.brief import Brief, BriefRows, call
from hpcsnn.errors import ConfigurationError, unknown_name

if TYPE_CHECKING:
    from hpcsnn.models.base import Model
    from hpcsnn.models.parameters import Parameter


class BriefModel(Brief):
    """A model: what it is, and its parameters with their defaults."""

    if TYPE_CHECKING:
        KIND: ClassVar[str]
        name: str
        doc: str
        parameters: Mapping[str, Parameter]

    def __new__(cls, *_: object, **slots: object) -> Self:
        """A model to be filled in.

        Raises:
            ConfigurationError: a slot that models of this kind have not; suggests one that they have.
        """
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for slot in slots:
            if slot not in known:
                raise ConfigurationError(unknown_name(cls.__name__, slot, known))
        return super().__new__(cls)

    def _headline(self) -> str:
        return f"{self.name} ({self.KIND}): {self.doc}"

    def _rows(self) -> BriefRows:
        return [
            (name, "must be given" if parameter.default is None else parameter.default_text, parameter.doc)
            for name, parameter in self.parameters.items()
        ]


class BriefConfigured(Brief):
    """A model with values: those that are not the defaults."""

    if TYPE_CHECKING:
        model: Model
        values: Mapping[str, Any]

    def _headline(self) -> str:
        return call(self.model.name, {name: self.values[name] for name in self.values if not self._is_default(name)})

    def _is_default(self, name: str) -> bool:
        parameter, value = self.model.parameters.get(name), self.values[name]
        return parameter is not None and isinstance(value, (int, float)) and value == parameter.default
