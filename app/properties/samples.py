"""Properties that do not exist, in real towns: what a test agency and the demo show."""

from __future__ import annotations

import uuid
from typing import Any

from app.core.ledger import SYSTEM
from app.properties import editing as properties


def _p(
    picture: str, days: tuple[int, int] | None, price: int | None, ro: str, en: str, **values: Any
) -> dict[str, Any]:
    return {
        "picture": picture,
        "days": days,
        "asking_minor": price and price * 100,
        "title": ro,
        "title_en": en,
        **values,
    }


# days: the window, as days from now; None for no window.
SAMPLES: tuple[dict[str, Any], ...] = (
    _p("block", None, 189_000, "Apartament cu 3 camere în Floreasca, lângă parc", "Three-room apartment in Floreasca, by the park", city="București", county="București", zone="Floreasca", rooms=3, usable_area_sqm=78, price_vat="exempt", buyer_commission="2% + TVA", description="Etaj 4 din 7, orientare sud-est, bucătărie închisă și două balcoane. Blocul este din 1985, reabilitat termic în 2022. La opt minute pe jos de metrou Aurel Vlaicu.", description_en="Fourth floor of seven, facing south-east, closed kitchen and two balconies. The building dates from 1985 and was insulated in 2022. Eight minutes on foot from Aurel Vlaicu underground."),
    _p("house", (-12, 2), 245_000, "Casă cu grădină în Brașov, cartierul Stupini", "House with a garden in Brașov, Stupini", city="Brașov", county="Brașov", zone="Stupini", rooms=5, usable_area_sqm=142, land_area_sqm=480, property_type="house", signature_required=True, buyer_commission="0%", description="Casă pe un singur nivel plus mansardă locuibilă, încălzire în pardoseală, grădină cu pomi pe rod. Acte complete, intabulată.", description_en="One storey and a habitable attic, underfloor heating, a garden with fruit trees. Papers complete, entered in the land register."),
    _p("block", None, 132_500, "Apartament cu 2 camere în Mănăștur, renovat", "Renovated two-room apartment in Mănăștur", city="Cluj-Napoca", county="Cluj", zone="Mănăștur", rooms=2, usable_area_sqm=54, price_vat="exempt", buyer_commission="2% + TVA", description="Renovat integral în 2025, mobilat la comandă, loc de parcare închiriabil de la primărie.", description_en="Fully renovated in 2025, fitted furniture, a parking place can be rented from the town."),
    _p("land", None, 68_000, "Teren intravilan de 900 m² la marginea Sibiului", "Building plot of 900 m² on the edge of Sibiu", city="Sibiu", county="Sibiu", zone="Șelimbăr", land_area_sqm=900, property_type="land", field_rules={"conditions": "hidden", "deed_date": "required"}, description="Front de 24 m la drum asfaltat, toate utilitățile la poartă, certificat de urbanism P+1+M.", description_en="A front of 24 m on an asphalt road, all utilities at the gate, planning certificate for two storeys and an attic."),
    _p("block", (5, 30), 98_000, "Garsonieră nouă în Tătărași, dată în folosință în primăvară", "New studio in Tătărași, ready in spring", city="Iași", county="Iași", zone="Tătărași", rooms=1, usable_area_sqm=38, price_vat="included", buyer_commission="0%", description="Bloc nou, centrală proprie, finisaje la alegere. Ofertele se primesc după deschiderea perioadei.", description_en="New building, own boiler, finishes of your choice. Offers are taken once the window opens."),
    _p("office", None, 410_000, "Spațiu de birouri în centrul Timișoarei", "Office space in the centre of Timișoara", city="Timișoara", county="Timiș", zone="Cetate", usable_area_sqm=210, property_type="office", price_vat="excluded", buyer_commission="1,5% + TVA", field_rules={"type": "required", "advance": "required"}, description="Etaj întreg într-o clădire istorică restaurată, 14 posturi de lucru, sală de ședințe și terasă.", description_en="A whole floor of a restored historic building: fourteen desks, a meeting room and a terrace."),
    _p("block", (-20, -1), 156_000, "Apartament cu vedere la mare, Faleză Nord", "Apartment with a sea view, Faleză Nord", city="Constanța", county="Constanța", zone="Faleză Nord", rooms=3, usable_area_sqm=71, buyer_commission="2% + TVA", description="Ultimul etaj, lift nou, vedere deschisă spre mare din toate camerele.", description_en="Top floor, new lift, an open view of the sea from every room."),
    _p("house", None, 1_150_000, "Casă țărănească lângă Oradea, cu livadă", "Village house near Oradea, with an orchard", city="Oradea", county="Bihor", zone="Betfia", rooms=4, usable_area_sqm=110, land_area_sqm=2_400, property_type="house", currency="RON", description="Casă din cărămidă, acoperiș schimbat în 2021, livadă cu 30 de pomi. Prețul este în lei.", description_en="Brick house, roof renewed in 2021, an orchard of thirty trees. The price is in lei."),
    _p("house", None, 320_000, "Vilă interbelică în Sinaia, la poalele Furnicii", "Interwar villa in Sinaia, below Furnica", city="Sinaia", county="Prahova", zone="Furnica", rooms=7, usable_area_sqm=230, land_area_sqm=650, property_type="house", signature_required=True, field_rules={"represented_by": "hidden"}, description="Vilă din 1934 cu scară interioară din stejar, consolidată în 2019. Se vinde mobilată.", description_en="A villa of 1934 with an oak staircase, strengthened in 2019. Sold furnished."),
    _p("block", None, 119_900, "Apartament cu 2 camere în Cotroceni", "Two-room apartment in Cotroceni", city="București", county="București", zone="Cotroceni", rooms=2, usable_area_sqm=49, off=True, description="Parter înalt, curte comună liniștită, imobil din 1938 fără risc seismic încadrat.", description_en="Raised ground floor, quiet shared courtyard, a building of 1938."),
    _p("office", None, 265_000, "Hală de producție în Ploiești, parcul industrial", "Workshop in Ploiești, industrial park", city="Ploiești", county="Prahova", built_area_sqm=620, land_area_sqm=1_800, property_type="industrial", price_vat="excluded", description="Hală de 620 m² cu birouri, rampă și curte betonată; putere instalată 120 kW.", description_en="A workshop of 620 m² with offices, a ramp and a concrete yard; 120 kW installed."),
    _p("block", None, None, "Penthouse în construcție, Lacul Morii", "Penthouse under construction, Lacul Morii", city="București", county="București", zone="Lacul Morii", rooms=4, usable_area_sqm=133, price_vat="included", buyer_commission="0%", description="Predare în toamna anului 2027. Prețul se stabilește prin oferte.", description_en="Ready in autumn 2027. The price is found by offers."),
)  # fmt: skip


def make(agency_id: uuid.UUID, agent_id: uuid.UUID, given: dict[str, Any], **values: Any) -> uuid.UUID:
    """One of the samples, with `values` over its own; it takes offers."""
    own = {name: value for name, value in given.items() if name not in {"picture", "days", "off"}}
    return properties.create(agency_id, {**own, "agent_id": agent_id, "accepts_offers": True, **values}, by=SYSTEM)
