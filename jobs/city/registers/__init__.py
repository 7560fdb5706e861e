"""All source datasets that the city delivers, by contract id."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.city.registers.benefits import SUBSIDY_PAYMENT
from jobs.city.registers.credit import ADMINISTRATIVE_PENALTY
from jobs.city.registers.licences import ADMINISTRATIVE_LICENCE
from jobs.city.registers.market import MARKET_REGISTER
from jobs.city.registers.people import FLOATING_REGISTER, HOUSEHOLD_REGISTER
from jobs.city.registers.places import ADDRESS_REGISTER
from jobs.city.registers.register import Register

REGISTERS: Mapping[str, Register] = {
    register.dataset: register
    for register in (
        HOUSEHOLD_REGISTER,
        FLOATING_REGISTER,
        MARKET_REGISTER,
        ADDRESS_REGISTER,
        ADMINISTRATIVE_LICENCE,
        ADMINISTRATIVE_PENALTY,
        SUBSIDY_PAYMENT,
    )
}
