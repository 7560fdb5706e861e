"""All source datasets that the city delivers, by contract id."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.city.registers.air import AIR_READING, AIR_STATION
from jobs.city.registers.benefits import (
    FARM_SUBSIDY_PAYMENT,
    LIVING_ALLOWANCE_LIST,
    SUBSIDY_PAYMENT,
)
from jobs.city.registers.licences import ADMINISTRATIVE_LICENCE
from jobs.city.registers.market import MARKET_REGISTER
from jobs.city.registers.marriages import MARRIAGE_REGISTER
from jobs.city.registers.penalties import ADMINISTRATIVE_PENALTY
from jobs.city.registers.people import FLOATING_REGISTER, HOUSEHOLD_REGISTER
from jobs.city.registers.places import (
    ADDRESS_REGISTER,
    BUILDING_REGISTER,
    GRID_REGISTER,
)
from jobs.city.registers.property import REAL_ESTATE_REGISTER
from jobs.city.registers.ratings import DISHONEST_DEBTOR, TAX_RATING
from jobs.city.registers.register import Register
from jobs.city.registers.supervision import ABNORMAL_OPERATION, CHANGE_RECORD, FOOD_LICENCE
from jobs.city.registers.vehicles import VEHICLE_REGISTER
from jobs.city.registers.vital import (
    BIRTH_CERTIFICATE,
    CREMATION_RECORD,
    DEATH_CERTIFICATE,
)
from jobs.city.registers.work import INSURANCE_REGISTER, PUBLIC_PAYROLL

REGISTERS: Mapping[str, Register] = {
    register.dataset: register
    for register in (
        HOUSEHOLD_REGISTER,
        FLOATING_REGISTER,
        VEHICLE_REGISTER,
        BIRTH_CERTIFICATE,
        DEATH_CERTIFICATE,
        CREMATION_RECORD,
        MARRIAGE_REGISTER,
        INSURANCE_REGISTER,
        PUBLIC_PAYROLL,
        MARKET_REGISTER,
        CHANGE_RECORD,
        ADMINISTRATIVE_LICENCE,
        FOOD_LICENCE,
        ADMINISTRATIVE_PENALTY,
        ABNORMAL_OPERATION,
        TAX_RATING,
        DISHONEST_DEBTOR,
        ADDRESS_REGISTER,
        BUILDING_REGISTER,
        GRID_REGISTER,
        REAL_ESTATE_REGISTER,
        SUBSIDY_PAYMENT,
        FARM_SUBSIDY_PAYMENT,
        LIVING_ALLOWANCE_LIST,
        AIR_STATION,
        AIR_READING,
    )
}
