"""Sites and cameras: those that a key reaches."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api.refused import Refused
from api.v1.here import HereNow, ReadKey
from api.v1.problems import documented
from db.keys import ApiKeyRow
from db.places import SiteRow, list_sites

LARGEST_ID: Final = 2**31 - 1
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
PathId = Annotated[int, Path(ge=1, le=LARGEST_ID)]

router = APIRouter(tags=["places"])


class CameraOut(BaseModel):
    """One view in a site."""

    id: int
    name: str
    recordings: int = Field(description="How many it has, in any state.")
    staff_zones: int = Field(description="Parts of its view that are left out.")


class SiteOut(BaseModel):
    """A store."""

    id: int
    name: str
    time_zone: str = Field(description="IANA name. Its days and hours are those of its clock.")
    is_demonstration: bool = Field(description="Whether its data is invented.")
    target: float | None = Field(description="The satisfaction index that it aims at, 0 to 100.")
    opening_hours: list[tuple[int, int] | None] = Field(
        description="Empty where they are not known; else seven entries from Monday on: null "
        "(closed) or [opens, closes] in minutes since local midnight."
    )
    cameras: list[CameraOut]


class Sites(BaseModel):
    sites: list[SiteOut]


@router.get("/sites", responses=documented(), operation_id="list_sites")
def sites(key: ReadKey, here: HereNow) -> Sites:
    """The sites that the key reaches, with their cameras, by name."""
    with here.database.read() as session:
        return Sites(sites=[_site(site) for site in reached_sites(session, key)])


def _site(site: SiteRow) -> SiteOut:
    return SiteOut(
        id=site.id,
        name=site.name,
        time_zone=site.time_zone,
        is_demonstration=site.is_demonstration,
        target=site.target,
        opening_hours=list(site.opening_hours),
        cameras=[
            CameraOut(
                id=camera.id,
                name=camera.name,
                recordings=camera.recordings,
                staff_zones=len(camera.staff_zones),
            )
            for camera in site.cameras
        ],
    )


def reached_sites(session: Session, key: ApiKeyRow) -> list[SiteRow]:
    found = list_sites(session)
    return [site for site in found if key.site_ids is None or site.id in key.site_ids]


def chosen_sites(
    session: Session, key: ApiKeyRow, site_ids: Collection[int], camera_ids: Collection[int]
) -> list[SiteRow]:
    """What is asked for: the sites, with the cameras asked for. Empty means all that the key
    reaches. Raises Refused (404) for a site or camera that it does not."""
    reached = reached_sites(session, key)
    missing = set(site_ids) - {site.id for site in reached}
    if missing:
        raise Refused(404, f"There is no site {min(missing)}, or this key does not reach it.")
    chosen = [site for site in reached if not site_ids or site.id in site_ids]
    if not camera_ids:
        return chosen
    missing = set(camera_ids) - {camera.id for site in chosen for camera in site.cameras}
    if missing:
        raise Refused(404, f"There is no camera {min(missing)}, or this key does not reach it.")
    kept = [
        replace(site, cameras=tuple(one for one in site.cameras if one.id in camera_ids))
        for site in chosen
    ]
    return [site for site in kept if site.cameras]


def camera_ids_of(sites: Collection[SiteRow]) -> list[int]:
    return [camera.id for site in sites for camera in site.cameras]
