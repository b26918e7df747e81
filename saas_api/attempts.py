"""The attempts of one call: which deployment was asked, when, and how it went."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from llm_providers import ProviderError
from saas_api.model_groups import Deployment
from wire.log import Outcome
from wire.records import Attempt, Usage
from wire.timing import HopMarks

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Trial:
    """One request to a deployment, running or over. Times are microseconds since the call arrived."""

    deployment: Deployment
    started_us: int
    ended_us: int | None = None
    error_code: str | None = None


class Attempts:
    """The attempts of one call, in order. Only the last one can have given a token: after a token there is no other attempt."""

    def __init__(self, call_id: str, marks: HopMarks) -> None:
        self._call_id = call_id
        self._marks = marks
        self._trials: list[Trial] = []

    @property
    def tried(self) -> list[Deployment]:
        """The deployments that have been asked so far."""
        return [trial.deployment for trial in self._trials]

    @property
    def deployment(self) -> Deployment | None:
        """The deployment asked last, or None before the first."""
        return self._trials[-1].deployment if self._trials else None

    def begin(self, deployment: Deployment) -> None:
        """Notes that this deployment is about to be asked."""
        if self._trials:
            logger.info("the call %s goes on with %s", self._call_id, deployment.model)
        self._trials.append(Trial(deployment, self._marks.elapsed_us))

    def failed(self, error: ProviderError) -> None:
        """Notes that the deployment asked last has failed, and tells the operator why, with the provider's own words."""
        trial = self._trials[-1]
        trial.ended_us, trial.error_code = self._marks.elapsed_us, error.code.code
        said = f"{str(error).removesuffix('.')}: {error.reason}" if error.reason else str(error)
        logger.warning("the call %s failed at %s: %s", self._call_id, trial.deployment.model, said)

    def records(self, outcome: Outcome, usage: Usage | None, first_token: int | None) -> list[Attempt]:
        """The attempts as the receipt lists them.

        `outcome` and `usage` (the provider's own counts) belong to the last attempt. `first_token` is the index of the first token's chunk.
        """
        now = self._marks.elapsed_us
        records: list[Attempt] = []
        for trial in self._trials:
            last = trial is self._trials[-1]
            failed = trial.error_code is not None
            records.append(
                {
                    "model": trial.deployment.model,
                    "outcome": Outcome.FAILED.value if failed else outcome.value if last else Outcome.CANCELLED.value,
                    "error_code": trial.error_code,
                    "started_us": trial.started_us,
                    "first_token_us": self._marks.arrival_us(first_token) if last and first_token is not None else None,
                    "ended_us": now if trial.ended_us is None else trial.ended_us,
                    "usage": usage if last else None,
                }
            )
        return records
