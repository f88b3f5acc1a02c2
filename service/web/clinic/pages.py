"""The pages of this area, and who may open them."""

from service.domain.foundation.actor import Role
from service.http.access import ANYONE, DESK, only
from service.web.clinic import health, home, jobs, lost_answers, settings, setup, system, wizard, zone_changes

BLUEPRINTS = tuple(
    page.blueprint for page in (health, home, jobs, lost_answers, settings, setup, system, wizard, zone_changes)
)
ACCESS = {
    "health.livez": ANYONE,
    "health.readyz": ANYONE,
    "health.show_metrics": ANYONE,
    "home.home": ANYONE,
    "lost_answers.show": ANYONE,
    "setup.setup": ANYONE,
    "setup.fill_demo": ANYONE,
    "wizard.show": ANYONE,
    "wizard.save": ANYONE,
    "jobs.index": only(Role.ADMIN),
    "jobs.run_now": only(Role.ADMIN),
    "system.show": only(Role.ADMIN),
    "system.confirm_clock": only(Role.ADMIN),
    "system.problem": only(Role.ADMIN),
    "system.show_demo": only(Role.ADMIN),
    "system.wipe_demo": only(Role.ADMIN),
    "settings.index": only(Role.ADMIN),
    "settings.show": only(Role.ADMIN),
    "settings.save": only(Role.ADMIN),
    "zone_changes.show": DESK,
    "zone_changes.mark_seen": DESK,
}
