"""Which evidence a log gives."""

from shindan.core.evidence.beside import AtChance, FarNorms, Repeats, RisenToLine, TwoMeans
from shindan.core.evidence.logs import (
    LogClip,
    LogColumns,
    LogController,
    LogCurve,
    LogEpochs,
    LogFinite,
    LogProgress,
    LogRates,
    LogScale,
)
from shindan.core.evidence.phases import Course, Window
from shindan.core.evidence.trend import Evaluations, FewLosses, LossTrend

READ = frozenset(
    (
        LogColumns,
        LogProgress,
        LogFinite,
        LogRates,
        LogClip,
        LogScale,
        LogController,
        LogEpochs,
        LogCurve,
        Evaluations,
        FewLosses,
        LossTrend,
        Window,
        Course,
        AtChance,
        RisenToLine,
        TwoMeans,
        Repeats,
        FarNorms,
    )
)
"""Evidence that a log gives: a check none of whose judges does with it asks for a run."""
