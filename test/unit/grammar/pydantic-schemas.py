"""Prints the schemas that pydantic makes for the types that its documentation lists, as JSON.

    pip install 'pydantic[email]'
    python3 test/unit/grammar/pydantic-schemas.py > test/vectors/pydantic-schemas.json
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import json
import pathlib
import re
import typing
import uuid
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import pydantic
import typing_extensions
from pydantic import BaseModel, Field, TypeAdapter


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Level(enum.IntEnum):
    low = 1
    high = 2


class Point(NamedTuple):
    x: int
    y: float


class Movie(typing_extensions.TypedDict):
    name: str
    year: int


@dataclasses.dataclass
class Size:
    width: int
    unit: str = "cm"


class Person(BaseModel):
    name: str = Field(min_length=1, max_length=40, description="The full name")
    age: Optional[int] = Field(default=None, ge=0, lt=150)
    born: datetime.date
    email: pydantic.EmailStr
    tags: list[str] = []
    friend: Optional["Person"] = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Strict(BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    id: uuid.UUID


class Open(BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    id: int


TYPES = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "None": None,
    "Any": Any,
    "object": object,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "Decimal": decimal.Decimal,
    "condecimal": Annotated[decimal.Decimal, Field(max_digits=5, decimal_places=2)],
    "UUID": uuid.UUID,
    "UUID1": pydantic.UUID1,
    "UUID3": pydantic.UUID3,
    "UUID4": pydantic.UUID4,
    "UUID5": pydantic.UUID5,
    "UUID7": pydantic.UUID7,
    "Enum": Colour,
    "IntEnum": Level,
    "Literal": Literal["a", 1, None],
    "Optional": Optional[int],
    "Union": Union[int, str],
    "list": list,
    "list[int]": list[int],
    "conlist": Annotated[list[int], Field(min_length=1, max_length=3)],
    "tuple": tuple,
    "tuple[int, str]": tuple[int, str],
    "tuple[int, ...]": tuple[int, ...],
    "set": set,
    "set[int]": set[int],
    "set[str]": set[str],
    "set[date]": set[datetime.date],
    "set[Literal]": set[Literal["a", "b"]],
    "set[Enum]": set[Colour],
    "frozenset[str]": frozenset[str],
    "conset": Annotated[set[int], Field(min_length=1, max_length=3)],
    "deque[int]": collections.deque[int],
    "Sequence[int]": typing.Sequence[int],
    "Iterable[int]": typing.Iterable[int],
    "dict": dict,
    "dict[str, int]": dict[str, int],
    "dict[int, str]": dict[int, str],
    "dict[Literal, int]": dict[Literal["a", "b"], int],
    "dict[Enum, int]": dict[Colour, int],
    "dict[pattern, int]": dict[Annotated[str, Field(pattern="^[a-z]+$")], int],
    "dict[UUID, int]": dict[uuid.UUID, int],
    "dict with a length": Annotated[dict[str, int], Field(min_length=1)],
    "Mapping[str, int]": typing.Mapping[str, int],
    "Counter": collections.Counter[str],
    "TypedDict": Movie,
    "NamedTuple": Point,
    "dataclass": Size,
    "BaseModel": Person,
    "forbid": Strict,
    "allow": Open,
    "RootModel": pydantic.RootModel[list[int]],
    "discriminated": Annotated[Union[Cat, Dog], Field(discriminator="kind")],
    "list of models": list[Strict],
    "Path": pathlib.Path,
    "FilePath": pydantic.FilePath,
    "Pattern": re.Pattern,
    "IPv4Address": ipaddress.IPv4Address,
    "IPv6Address": ipaddress.IPv6Address,
    "IPv4Network": ipaddress.IPv4Network,
    "IPvAnyAddress": pydantic.IPvAnyAddress,
    "complex": complex,
    "conint": Annotated[int, Field(gt=0, le=100)],
    "multiple_of": Annotated[int, Field(multiple_of=5)],
    "multiple_of float": Annotated[float, Field(multiple_of=0.5)],
    "confloat": Annotated[float, Field(gt=0, lt=1)],
    "constr": Annotated[str, Field(min_length=2, max_length=5)],
    "pattern": Annotated[str, Field(pattern=r"^[A-Z]{2}\d{4}$")],
    "pattern with a part": Annotated[str, Field(pattern=r"\d+")],
    "pattern with a boundary": Annotated[str, Field(pattern=r"\bword\b")],
    "PositiveInt": pydantic.PositiveInt,
    "NonNegativeFloat": pydantic.NonNegativeFloat,
    "StrictBool": pydantic.StrictBool,
    "EmailStr": pydantic.EmailStr,
    "NameEmail": pydantic.NameEmail,
    "AnyUrl": pydantic.AnyUrl,
    "HttpUrl": pydantic.HttpUrl,
    "PostgresDsn": pydantic.PostgresDsn,
    "Json": pydantic.Json,
    "Json[list[int]]": pydantic.Json[list[int]],
    "SecretStr": pydantic.SecretStr,
    "Base64Bytes": pydantic.Base64Bytes,
    "Base64Str": pydantic.Base64Str,
    "ByteSize": pydantic.ByteSize,
    "PastDate": pydantic.PastDate,
    "FutureDate": pydantic.FutureDate,
    "AwareDatetime": pydantic.AwareDatetime,
    "NaiveDatetime": pydantic.NaiveDatetime,
    "JsonValue": pydantic.JsonValue,
}

schemas = {}
for name, kind in TYPES.items():
    try:
        schemas[name] = TypeAdapter(kind).json_schema()
    except pydantic.PydanticInvalidForJsonSchema:
        pass  # pydantic has no schema for this type.

print(json.dumps({"made_by": f"pydantic {pydantic.VERSION}", "schemas": schemas}, indent=1))
