"""A value in the configuration file lost against a default of the command line."""

from collections.abc import Iterator
from math import isclose

from shindan.core.check import Edit, check
from shindan.core.evidence.settings import Asked, Overrides
from shindan.core.example import Example
from shindan.core.finding import Finding, Where


@check(
    id="config/value-overridden",
    kind="cause",
    severity="major",
    grounds="ledger",
    refs=("ScrollPrize/villa#1489", "EasyTPP#54"),
    explains=("symptom/slow-progress", "symptom/undertrained"),
    fault=(
        Edit(
            script="accumulate_amp",
            old='"--gradient-accumulation-steps", type=int, default=None',
            new='"--gradient-accumulation-steps", type=int, default=2',
        ),
        Edit(
            script="accumulate_amp",
            old="""\
    args = parser.parse_args()
    run_dir = tempfile.TemporaryDirectory()
    config_path = args.config or pathlib.Path(run_dir.name, "config.yaml")
    if args.config is None:
        config_path.write_text(DEFAULT_CONFIG)
    cfg = yaml.safe_load(config_path.read_text())
""",
            new="""\
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    run_dir = tempfile.TemporaryDirectory()
    config_path = args.config or pathlib.Path(run_dir.name, "config.yaml")
    if args.config is None:
        config_path.write_text(DEFAULT_CONFIG)
    cfg = yaml.safe_load(config_path.read_text())
    cfg["train"].update({k: v for k, v in vars(args).items() if v is not None})
""",
        ),
    ),
)
def CHECK(overrides: Overrides) -> Iterator[Finding]:
    """The default is in effect, no value of any file is, and nobody asked for the default."""
    for s in overrides.settings:
        if s.given or _among(s.default, s.also_in_files):
            continue
        if _among(s.default, s.used) and not any(_among(v, s.used) for v in s.also_in_files):
            yield Finding(
                measured={
                    "key": s.key,
                    "option": s.option,
                    "in_file": s.in_file,
                    "used": s.default,
                },
                where=Where(s.file, s.line),
            )


def _among(value: float, values: tuple[float, ...]) -> bool:
    return any(isclose(value, v, rel_tol=1e-9) for v in values)


def _asked(used: float, given: bool = False, in_file: float = 4.0) -> Overrides:
    asked = Asked(
        "accumulation",
        "grad_accum_steps",
        "gradient_accumulation_steps",
        in_file,
        1.0,
        given,
        (used,),
        (in_file,),
    )
    return Overrides((asked,))


SICK = Example((_asked(1.0),), finds=({"key": "grad_accum_steps", "in_file": 4.0, "used": 1.0},))
HEALTHY = (
    Example((_asked(4.0),)),
    Example((_asked(1.0, given=True),)),
    Example((_asked(1.0, in_file=1.0),)),
    Example((_asked(2.0),)),  # neither: the setting means something else
)
