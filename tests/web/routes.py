"""What is expected of every route: who enters, whose row it shows, and what a form needs to be accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.web.frozen_clinic import PEOPLE, VISITORS

ANYONE = frozenset(VISITORS)
SIGNED_IN = frozenset(PEOPLE)
PATIENTS = frozenset({"patient", "other patient"})
DOCTORS = frozenset({"doctor", "other doctor"})
DESK = frozenset({"receptionist"})
ADMIN = frozenset({"admin"})


@dataclass(frozen=True)
class Expected:
    """One route: its path and form with the places of ids, and how it answers whom."""

    path: str
    enter: frozenset[str]
    answers: Mapping[str, int]
    """Method -> status for those who may see the row."""
    form: Mapping[str, str] = field(default_factory=dict)
    sees: frozenset[str] = frozenset()
    """The users who see the row of Pia and Dr Doll; empty if the route shows no particular row."""
    missing: int = 404
    refused: frozenset[str] = frozenset()
    """The users who see the row but may not do this: 403."""
    once: bool = False
    """Whether it works once, so that only the admin tries it."""
    otherwise: Mapping[str, int] = field(default_factory=dict)
    """Visitor -> status, for those who see the row and are answered in another way."""

    def at(self, ids: Mapping[str, object]) -> str:
        """The path with ids filled in."""
        return self.path.format(**ids)

    def filled(self, ids: Mapping[str, object]) -> dict[str, str]:
        """The form with ids filled in."""
        return {name: value.format(**ids) for name, value in self.form.items()}


GET = {"GET": 200}
PASSWORD = "slow boats drift home"
REMAKE = {"reason": "Notes came late", "seen": "2026-05-06T08:00:00+00:00"}

ROUTES: dict[str, Expected] = {
    "static": Expected("/static/css/rounds.css", ANYONE, GET),
    "health.livez": Expected("/livez", ANYONE, GET),
    "health.readyz": Expected("/readyz", ANYONE, GET),
    "health.show_metrics": Expected("/metrics", ANYONE, GET),
    "home.home": Expected("/", ANYONE, {"GET": 303}),
    "moved_pages.follow": Expected("/waiting-list", ANYONE, {"GET": 308, "POST": 308}),
    "lost_answers.show": Expected("/lost-answers/1-0", ANYONE, {"GET": 404}),
    "setup.setup": Expected("/setup", ANYONE, {"GET": 404, "POST": 404}),
    "setup.fill_demo": Expected("/setup/demo", ANYONE, {"POST": 404}),
    "wizard.show": Expected("/setup/clinic", ANYONE, {"GET": 404}),
    "wizard.save": Expected("/setup/clinic", ANYONE, {"POST": 404}, {"act": "skip"}),
    "sessions.sign_in": Expected(
        "/sign-in", ANYONE, {"GET": 200, "POST": 422}, {"email": "who@clinic.example", "password": "wrong"}
    ),
    "sessions.sign_out": Expected("/sign-out", SIGNED_IN, {"POST": 303}),
    "sessions.unlock": Expected("/unlock", ANYONE, {"POST": 303}, {"password": "wrong"}),  # nothing is locked
    "sign_in_links.ask": Expected("/sign-in/link", ANYONE, {"GET": 404, "POST": 404}),  # not by default
    "sign_in_links.use": Expected("/sign-in/{reset}", ANYONE, {"GET": 404, "POST": 404}),
    "own_account.prove_email": Expected(
        "/account/email/{email_proof}", ANYONE, {"GET": 200, "POST": 303}, sees=ANYONE, missing=410, once=True
    ),
    "registration.prove": Expected(
        "/register/{registration}", ANYONE, {"GET": 200, "POST": 422}, {"password": "wrong"}, sees=ANYONE, missing=410
    ),
    "password_reset.ask": Expected(
        "/password-reset", ANYONE, {"GET": 200, "POST": 303}, {"email": "who@clinic.example"}
    ),
    "password_reset.choose": Expected(
        "/password-reset/{reset}",
        ANYONE,
        {"GET": 200, "POST": 303},
        {"password": PASSWORD},
        sees=ANYONE,
        missing=410,
        once=True,
    ),
    "own_account.show": Expected("/account", SIGNED_IN, GET),
    "own_account.change_name": Expected("/account/name", SIGNED_IN, {"POST": 303}, {"name": "Somebody Else"}),
    "own_account.change_language": Expected("/account/language", SIGNED_IN, {"POST": 303}, {"language": "en_GB"}),
    "own_account.change_email": Expected("/account/email", SIGNED_IN, {"GET": 200, "POST": 422}, {"email": "none"}),
    "own_account.change_phone": Expected(
        "/account/phone", PATIENTS, {"GET": 200, "POST": 303}, {"phone": "030 7654321"}
    ),
    "own_account.change_password": Expected(
        "/account/password",
        SIGNED_IN,
        {"GET": 200, "POST": 422},
        {"current_password": "wrong", "password": PASSWORD},
    ),
    "own_account.prove": Expected("/account/proof", SIGNED_IN, {"GET": 200, "POST": 422}, {"password": "wrong"}),
    "own_account.end_session": Expected(
        "/account/sessions/{session}/removal", SIGNED_IN, {"POST": 303}, sees=frozenset({"patient"})
    ),
    "own_account.end_other_sessions": Expected("/account/sessions/removal", SIGNED_IN, {"POST": 303}),
    "guide.document": Expected("/api/openapi.json", ANYONE, GET),
    "guide.page": Expected("/api/docs", ANYONE, GET),
    "help.show": Expected("/help", SIGNED_IN, GET),
    "api_tokens.show": Expected("/account/tokens", SIGNED_IN, GET),
    "api_tokens.make": Expected("/account/tokens", SIGNED_IN, {"POST": 200}, {"label": "Web site", "scopes": "read"}),
    "api_tokens.revoke": Expected(
        "/account/tokens/{token}/removal", SIGNED_IN, {"POST": 303}, sees=frozenset({"patient"}) | ADMIN
    ),
    "api_tokens.index": Expected("/tokens", ADMIN, GET),
    "api_tokens.revoke_any": Expected("/tokens/{token}/removal", ADMIN, {"POST": 303}, sees=ADMIN),
    "second_factors.show": Expected("/account/second-factor", SIGNED_IN, GET),
    "second_factors.begin": Expected("/account/second-factor", SIGNED_IN, {"POST": 303}),
    "second_factors.confirm": Expected(
        "/account/second-factor/confirmation", SIGNED_IN, {"POST": 409}, {"code": "123456"}
    ),  # nothing was begun
    "second_factors.renew_codes": Expected("/account/second-factor/codes", SIGNED_IN, {"POST": 409}),
    "second_factors.turn_off": Expected("/account/second-factor/removal", SIGNED_IN, {"POST": 303}),
    "unsent_forms.show": Expected("/unsent-forms", SIGNED_IN, {"GET": 303}),
    "unsent_forms.discard": Expected("/unsent-forms/1/removal", SIGNED_IN, {"POST": 303}),
    "users.invite": Expected(
        "/invite/{invite}",
        ANYONE,
        {"GET": 200, "POST": 303},
        {"password": PASSWORD},
        sees=ANYONE,
        missing=410,
        once=True,
    ),
    "users.index": Expected("/users", ADMIN, GET),
    "users.new": Expected(
        "/users/new",
        ADMIN,
        {"GET": 200, "POST": 303},
        {"role": "receptionist", "name": "Rolf Neu", "email": "rolf@clinic.example"},
    ),
    "users.show": Expected("/users/{account}", ADMIN, GET, sees=ADMIN),
    "users.make_slip": Expected(
        "/users/{account}/invite", DESK | ADMIN, {"POST": 409}, sees=DESK | ADMIN
    ),  # that of someone who uses it
    "users.disable": Expected("/users/{account}/disabling", ADMIN, {"POST": 303}, sees=ADMIN),
    "users.enable": Expected("/users/{account}/enabling", ADMIN, {"POST": 303}, sees=ADMIN),
    "users.change_role": Expected(
        "/users/{account}/role", ADMIN, {"POST": 409}, {"role": "receptionist"}, sees=ADMIN
    ),  # a patient's
    "users.end_sessions": Expected("/users/{account}/sessions/removal", ADMIN, {"POST": 303}, sees=ADMIN),
    "users.reset_second_factor": Expected("/users/{account}/second-factor/removal", ADMIN, {"POST": 404}, sees=ADMIN),
    "registration.register": Expected("/register", ANYONE, {"GET": 404, "POST": 404}),  # not by default
    "appointments.index": Expected("/appointments", SIGNED_IN, GET),
    "appointments.show": Expected(
        "/appointments/{visit}", SIGNED_IN, GET, sees=frozenset({"patient", "doctor"}) | DESK | ADMIN
    ),
    "booking.new": Expected(
        "/appointments/new?patient_id={patient}&doctor_id={doctor}",
        SIGNED_IN,
        GET,
        sees=frozenset({"patient", "doctor"}) | DESK | ADMIN,
    ),
    "booking.create": Expected(
        "/appointments",
        SIGNED_IN,
        {"POST": 303},
        {"patient_id": "{patient}", "doctor_id": "{doctor}", "starts_at": "{free}"},
        sees=frozenset({"patient", "doctor"}) | DESK | ADMIN,
    ),
    "booking.walk_in": Expected(
        "/walk-ins",
        DOCTORS | DESK | ADMIN,
        {"POST": 409},  # this patient waits for an appointment already
        {"patient_id": "{patient}", "doctor_id": "{doctor}"},
        sees=frozenset({"doctor"}) | DESK | ADMIN,
    ),
    "booking.move": Expected(
        "/appointments/{ahead}/reschedule", SIGNED_IN, GET, sees=frozenset({"patient", "doctor"}) | DESK | ADMIN
    ),
    "booking.reschedule": Expected(
        "/appointments/{ahead}/reschedule",
        SIGNED_IN,
        {"POST": 303},
        {"starts_at": "2026-06-16T10:00"},
        sees=frozenset({"patient", "doctor"}) | DESK | ADMIN,
    ),
    "outcomes.cancel": Expected(
        "/appointments/{ahead}/cancellation",
        SIGNED_IN,
        {"POST": 303},
        {"reason": "Holidays"},
        sees=frozenset({"patient", "doctor"}) | DESK | ADMIN,
    ),
    **{
        f"outcomes.{act}": Expected(
            f"/appointments/{{{visit}}}/{word}",
            DOCTORS | DESK | ADMIN,
            {"POST": status},
            sees=frozenset({"doctor"}) | DESK | ADMIN,
        )
        for act, visit, word, status in (
            ("confirm", "ahead", "confirmation", 303),
            ("arrive", "visit", "arrival", 303),
            ("complete", "visit", "completion", 303),
            ("no_show", "visit", "no-show", 303),
            ("undo", "visit", "undo", 409),  # nothing was said about it yet
        )
    },
    "outcomes.to_complete": Expected("/to-complete", DOCTORS | DESK | ADMIN, GET),
    "treatments.history": Expected("/treatments?patient_id={patient}", PATIENTS, GET, sees=frozenset({"patient"})),
    "treatments.edit": Expected("/appointments/{visit}/treatment", DOCTORS, GET, sees=frozenset({"doctor"})),
    "treatments.save": Expected(
        "/appointments/{visit}/treatment", DOCTORS, {"POST": 303}, {"notes": "Better"}, sees=frozenset({"doctor"})
    ),
    "exports.create": Expected(
        "/exports",
        PATIENTS | DOCTORS,
        {"POST": 303},
        {"patient_id": "{patient}"},
        sees=frozenset({"patient", "doctor"}),
    ),
    "exports.new": Expected(
        "/exports/new?patient_id={patient}", PATIENTS | DOCTORS, GET, sees=frozenset({"patient", "doctor"})
    ),
    "exports.show": Expected("/exports/{export}", PATIENTS | DOCTORS, GET, sees=frozenset({"patient", "doctor"})),
    "exports.file": Expected("/exports/{export}/file", PATIENTS | DOCTORS, GET, sees=frozenset({"patient", "doctor"})),
    **{
        f"{name}_links.{act}": Expected(
            f"/{name}/{{{name}_token}}{path}", ANYONE, answers, form, sees=ANYONE, once=once
        )
        for name, act, path, answers, form, once in (
            ("visit", "show", "", GET, {}, False),
            ("visit", "confirm", "/confirmation", {"POST": 303}, {"appointment_id": "{ahead}"}, False),
            ("visit", "cancel", "/cancellation", {"POST": 303}, {"appointment_id": "{ahead}"}, False),
            ("visit", "undo", "/undo", {"POST": 409}, {"appointment_id": "{ahead}"}, False),
            ("visit", "times", "/reschedule", GET, {}, False),
            (
                "visit",
                "reschedule",
                "/reschedule",
                {"POST": 303},
                {"appointment_id": "{ahead}", "starts_at": "2026-06-18T10:00"},
                True,
            ),
            ("offer", "show", "", GET, {}, False),
            ("offer", "accept", "/acceptance", {"POST": 303}, {}, True),
            ("offer", "decline", "/decline", {"POST": 303}, {}, True),
            ("contact", "show", "", GET, {}, False),
            ("contact", "save", "", {"POST": 303}, {"email": "y", "preferred": "email", "language": ""}, False),
            ("contact", "unsubscribed", "/unsubscribe", {"GET": 303}, {}, False),
            ("contact", "unsubscribe", "/unsubscribe", {"POST": 200}, {}, False),
        )
    },
    "consent.mine": Expected("/contact", PATIENTS, GET),
    "consent.save": Expected(
        "/patients/{patient}/consent",
        PATIENTS | DESK | ADMIN,
        {"POST": 303},
        {"email": "y", "sms": "y", "preferred": "email", "language": ""},
        sees=frozenset({"patient"}) | DESK | ADMIN,
    ),
    "exports.cancel": Expected(
        "/exports/{export}/cancellation", PATIENTS | DOCTORS, {"POST": 409}, sees=frozenset({"patient", "doctor"})
    ),
    "exports.revoke": Expected(
        "/exports/{export}/removal", PATIENTS | DOCTORS, {"POST": 303}, sees=frozenset({"patient", "doctor"})
    ),
    "clinic_exports.index": Expected("/clinic-exports", ADMIN, GET),
    "clinic_exports.create": Expected("/clinic-exports", ADMIN, {"POST": 303}),
    "clinic_exports.show": Expected("/clinic-exports/{clinic_export}", ADMIN, GET, sees=ADMIN),
    "clinic_exports.file": Expected("/clinic-exports/{clinic_export}/file", ADMIN, GET, sees=ADMIN),
    "clinic_exports.cancel": Expected("/clinic-exports/{clinic_export}/cancellation", ADMIN, {"POST": 409}, sees=ADMIN),
    "clinic_exports.revoke": Expected("/clinic-exports/{clinic_export}/removal", ADMIN, {"POST": 303}, sees=ADMIN),
    "patients.index": Expected("/patients?q=Pia", DOCTORS | DESK | ADMIN, GET),
    "patients.record": Expected(
        "/patients/{patient}", DOCTORS | DESK | ADMIN, GET, sees=frozenset({"doctor"}) | DESK | ADMIN
    ),
    **{
        f"patients.{act}": Expected(f"/patients/{{guest}}/{word}", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN)
        for act, word in (("archive", "archival"), ("restore", "restoration"), ("confirm", "confirmation"))
    },
    "patient_forms.new": Expected("/patients/new", DESK | ADMIN, GET),
    "patient_forms.create": Expected(
        "/patients/new", DESK | ADMIN, {"POST": 303}, {"name": "Nora Neumann", "confirm": "y"}
    ),
    "patient_forms.edit": Expected(
        "/patients/{patient}/edit", DOCTORS | DESK | ADMIN, GET, sees=frozenset({"doctor"}) | DESK | ADMIN
    ),
    "patient_forms.save": Expected(
        "/patients/{patient}/edit",
        DOCTORS | DESK | ADMIN,
        {"POST": 303},
        {"name": "Pia Ahorn", "phone": "030 1234567", "email": "patient@clinic.example", "version": "1"},
        sees=frozenset({"doctor"}) | DESK | ADMIN,
    ),
    "patient_forms.save_alerts": Expected(
        "/patients/{patient}/alerts",
        DOCTORS,
        {"POST": 303},
        {"allergies": "Penicillin", "version": "1"},
        sees=frozenset({"doctor"}),
    ),
    "addresses.index": Expected("/patients/addresses", DESK | ADMIN, GET),
    "addresses.settle_patient": Expected(
        "/patients/{patient}/address", DESK | ADMIN, {"POST": 422}, {"email": "none"}, sees=DESK | ADMIN
    ),
    "addresses.settle_account": Expected(
        "/users/{account}/address", ADMIN, {"POST": 422}, {"email": "none"}, sees=ADMIN
    ),
    "merging.choose": Expected("/patients/{patient}/merge", DESK | ADMIN, GET, sees=DESK | ADMIN),
    "merging.merge": Expected(
        "/patients/{patient}/merge", DESK | ADMIN, {"POST": 303}, {"other_id": "{guest}"}, sees=DESK | ADMIN, once=True
    ),
    "messages.index": Expected("/messages?q=pia", DESK | ADMIN, GET),
    "messages.show": Expected("/messages/{message}", DESK | ADMIN, GET, sees=DESK | ADMIN),
    **{
        f"messages.{act}": Expected(
            f"/messages/{{message}}/{word}", DESK | ADMIN, {"POST": status}, sees=DESK | ADMIN, once=True
        )
        for act, word, status in (
            ("retry", "retry", 303),
            ("hold", "holding", 409),  # it does not wait
            ("let_go", "holding/removal", 409),
            ("mark_phoned", "call", 303),
            ("unmark_phoned", "call/removal", 303),
        )
    },
    **{
        f"messages.{act}": Expected(f"/messages/{word}", DESK | ADMIN, {"POST": 303})
        for act, word in (("pause", "pause"), ("resume", "pause/removal"), ("release", "release"))
    },
    "call_list.show": Expected("/messages/morning?date=2026-05-05", DESK | ADMIN, GET),
    "upcoming_reminders.index": Expected("/messages/tomorrow", DESK | ADMIN, GET),
    "upcoming_reminders.edit": Expected(
        "/messages/tomorrow/{tomorrow}/daily_reminder", DESK | ADMIN, GET, sees=DESK | ADMIN
    ),
    "upcoming_reminders.save": Expected(
        "/messages/tomorrow/{tomorrow}/daily_reminder",
        DESK | ADMIN,
        {"POST": 303},
        {"subject": "Tomorrow", "body": "Please come by the back door."},
        sees=DESK | ADMIN,
    ),
    **{
        f"upcoming_reminders.{act}": Expected(
            f"/messages/tomorrow/{{tomorrow}}/daily_reminder/{word}",
            DESK | ADMIN,
            {"POST": status},
            sees=DESK | ADMIN,
        )
        for act, word, status in (
            ("restore", "text/removal", 303),
            ("hold", "holding", 303),
            ("let_go", "holding/removal", 303),
            ("mark_phoned", "call", 409),  # a message reaches him
        )
    },
    "guardians.index": Expected("/patients/{patient}/guardians", DESK | ADMIN, GET, sees=DESK | ADMIN),
    "guardians.link": Expected(
        "/patients/{patient}/guardians", DESK | ADMIN, {"POST": 303}, {"email": "aunt@mail.example"}, sees=DESK | ADMIN
    ),
    "guardians.unlink": Expected(
        "/patients/{patient}/guardians/{account}/removal", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN, once=True
    ),
    "doctors.index": Expected("/doctors", DOCTORS | DESK | ADMIN, GET),
    "doctors.show": Expected("/doctors/{doctor}", DOCTORS | DESK | ADMIN, GET, sees=DOCTORS | DESK | ADMIN),
    **{
        f"doctors.{act}": Expected(
            f"/doctors/{{doctor}}{path}",
            DOCTORS | DESK | ADMIN,
            {"POST": 303},
            form,
            sees=DOCTORS | DESK | ADMIN,
            refused=frozenset({"other doctor"}),
            once=act == "remove_hours",
        )
        for act, path, form in (
            ("change", "", {"name": "Dr. Doll", "department": "Eyes", "version": "1"}),
            (
                "add_hours",
                "/hours",
                {"weekdays": "0", "starts": "19:00", "ends": "20:00", "slot_minutes": "15", "valid_until": ""},
            ),
            ("remove_hours", "/hours/{block}/removal", {}),
        )
    },
    "time_off.index": Expected("/time-off", DOCTORS | DESK | ADMIN, GET),
    **{
        f"time_off.{act}": Expected(
            path,
            DOCTORS | DESK | ADMIN,
            {"POST": 303},
            {"doctor_id": "{doctor}", "first_day": "2026-12-27", **form},
            sees=DOCTORS | DESK | ADMIN,
            refused=frozenset({"other doctor"}),
        )
        for act, path, form in (
            ("create", "/time-off", {"last_day": "2026-12-28"}),
            ("create_extra", "/extra-hours", {"starts": "19:00", "ends": "20:00", "slot_minutes": "15"}),
        )
    },
    "time_off.remove": Expected(
        "/time-off/{time_off}/removal",
        DOCTORS | DESK | ADMIN,
        {"POST": 303},
        sees=frozenset({"doctor"}) | DESK | ADMIN,
        once=True,
    ),
    "affected_appointments.show": Expected(
        "/time-off/{time_off}", DOCTORS | DESK | ADMIN, GET, sees=frozenset({"doctor"}) | DESK | ADMIN
    ),
    **{
        f"affected_appointments.{act}": Expected(
            path, DOCTORS | DESK | ADMIN, {"POST": 303}, form, sees=frozenset({"doctor"}) | DESK | ADMIN
        )
        for act, path, form in (
            (
                "move",
                "/time-off/{time_off}/moves",
                {"appointment_id": "{ahead}", "doctor_id": "{doctor}", "starts_at": "2026-06-16T10:00"},
            ),
            ("cancel", "/time-off/{time_off}/cancellations", {"appointment_id": "{ahead}"}),
            ("propose", "/appointments/{ahead}/proposal", {}),
            ("withdraw", "/appointments/{ahead}/proposal/removal", {}),
        )
    },
    "visit_types.index": Expected("/visit-types", DESK | ADMIN, GET),
    "visit_types.create": Expected(
        "/visit-types", DESK | ADMIN, {"POST": 303}, {"name": "Sight test", "minutes": "20", "colour": "3"}
    ),
    "visit_types.edit": Expected("/visit-types/{visit_type}", DESK | ADMIN, GET, sees=DESK | ADMIN),
    "visit_types.change": Expected(
        "/visit-types/{visit_type}",
        DESK | ADMIN,
        {"POST": 303},
        {"name": "Old check", "minutes": "20", "colour": "0", "online": "y", "archived": "y", "version": "1"},
        sees=DESK | ADMIN,
    ),
    "today.board": Expected("/today", DOCTORS | DESK | ADMIN, GET),
    "day_sheet.show": Expected("/today/sheet", DOCTORS | DESK | ADMIN, GET),
    "calendar.show": Expected("/calendar", DOCTORS | DESK | ADMIN, GET),
    "waitlist.index": Expected("/waitlist", DOCTORS | DESK | ADMIN, GET),
    "waitlist.new": Expected("/waitlist/new?patient_id={patient}", DESK | ADMIN, GET, sees=DESK | ADMIN),
    "waitlist.create": Expected(
        "/waitlist", DESK | ADMIN, {"POST": 303}, {"patient_id": "{patient}"}, sees=DESK | ADMIN
    ),
    "waitlist.remove": Expected("/waitlist/{waiting}/removal", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN),
    "waitlist.fits": Expected(
        "/waitlist/fits?doctor_id={doctor}&starts_at={free}",
        DOCTORS | DESK | ADMIN,
        GET,
        sees=DOCTORS | DESK | ADMIN,
    ),
    "waitlist.offer": Expected(
        "/waitlist/{waiting}/offers",
        DESK | ADMIN,
        {"POST": 303},
        {"doctor_id": "{doctor}", "starts_at": "2026-06-01T09:00"},
        sees=DESK | ADMIN,
    ),
    "offers.show": Expected("/offers/{offer}", DESK | ADMIN, GET, sees=DESK | ADMIN),
    "offers.accept": Expected("/offers/{offer}/acceptance", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN),
    "offers.decline": Expected("/offers/{offer}/decline", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN),
    "reports.index": Expected("/reports", DOCTORS | ADMIN, GET),
    "reports.show": Expected("/reports/{report}", DOCTORS | ADMIN, GET, sees=frozenset({"doctor"}) | ADMIN),
    "reports.file": Expected("/reports/{report}/file", DOCTORS | ADMIN, GET, sees=frozenset({"doctor"}) | ADMIN),
    "reports.remake": Expected("/reports/{report}/remake", ADMIN, {"POST": 303}, REMAKE, sees=ADMIN),
    "clinic_reports.show": Expected("/clinic-reports/{clinic_report}", ADMIN, GET, sees=ADMIN),
    "clinic_reports.file": Expected("/clinic-reports/{clinic_report}/file", ADMIN, GET, sees=ADMIN),
    "clinic_reports.remake": Expected(
        "/clinic-reports/{clinic_report}/remake", ADMIN, {"POST": 303}, REMAKE, sees=ADMIN
    ),
    "figures.show": Expected("/figures", DOCTORS | DESK, GET),
    "imports.index": Expected("/imports", ADMIN, GET),
    "imports.upload": Expected("/imports", ADMIN, {"POST": 422}, {"kind": "patients"}),
    "imports.show": Expected("/imports/{upload}", ADMIN, GET, sees=ADMIN),
    "imports.step": Expected("/imports/{upload}", ADMIN, {"POST": 303}, {"act": "import"}, sees=ADMIN),
    "dashboard.dashboard": Expected("/dashboard", ADMIN, GET),
    "dashboard.refresh": Expected("/dashboard", ADMIN, {"POST": 303}),
    "erasures.index": Expected("/erasures", ADMIN, GET),
    "erasures.show": Expected("/patients/{patient}/erasure", ADMIN, GET, sees=ADMIN),
    "erasures.erase": Expected(
        "/patients/{patient}/erasure",
        ADMIN,
        {"POST": 409},  # there is a legal hold
        {"sure": "y"},
        sees=ADMIN,
    ),
    "erasures.put_hold": Expected(
        "/patients/{patient}/holds", ADMIN, {"POST": 303}, {"reason": "A claim in court"}, sees=ADMIN
    ),
    "erasures.lift_hold": Expected("/patients/{patient}/holds/{hold}/lifting", ADMIN, {"POST": 303}, sees=ADMIN),
    "record_changes.index": Expected(
        "/patients/{patient}/changes", DOCTORS | DESK | ADMIN, GET, sees=frozenset({"doctor"}) | DESK | ADMIN
    ),
    "patients.note_print": Expected("/patients/{patient}/prints", DOCTORS, {"POST": 204}, sees=frozenset({"doctor"})),
    "audit.index": Expected("/audit", ADMIN, GET),
    "audit.file": Expected("/audit/file", ADMIN, GET),
    "looks.index": Expected("/who-looked?patient_id={patient}", PATIENTS, GET, sees=frozenset({"patient"})),
    "emergency_access.new": Expected("/emergency", DOCTORS, GET),
    "emergency_access.create": Expected(
        "/emergency",
        DOCTORS,
        {"POST": 303},
        {"name": "Gus Gast", "birth_date": "1970-01-02", "reason": "Brought in unconscious"},
    ),
    "emergency_access.mark_seen": Expected("/emergencies/{emergency}/review", ADMIN, {"POST": 303}, sees=ADMIN),
    "audit.mark_grants_seen": Expected("/access-grants/{grant}/review", ADMIN, {"POST": 303}, sees=ADMIN),
    "doctors.add_cover": Expected(
        "/doctors/{doctor}/covers",
        DESK | ADMIN,
        {"POST": 303},
        {"cover_doctor_id": "2", "cover_first_day": "2026-07-01", "cover_last_day": "2026-07-03"},
        sees=DESK | ADMIN,
    ),
    "doctors.remove_cover": Expected(
        "/doctors/{doctor}/covers/{cover}/removal", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN, once=True
    ),
    "jobs.index": Expected("/jobs", ADMIN, GET),
    "zone_changes.show": Expected("/zone-changes/{zone_change}", DESK | ADMIN, GET, sees=DESK | ADMIN),
    "zone_changes.mark_seen": Expected(
        "/zone-changes/{zone_change}/seen", DESK | ADMIN, {"POST": 303}, sees=DESK | ADMIN
    ),
    "system.show": Expected("/system", ADMIN, GET),
    "system.confirm_clock": Expected("/system/clock", ADMIN, {"POST": 303}),
    "system.problem": Expected("/system/problem.txt", ADMIN, GET),
    "system.show_demo": Expected("/system/demo", ADMIN, {"GET": 404}),  # this is no demo clinic
    "system.wipe_demo": Expected("/system/demo", ADMIN, {"POST": 409}, {"sure": "y"}),
    "settings.index": Expected("/settings", ADMIN, GET),
    "settings.show": Expected("/settings/mail", ADMIN, GET),
    "settings.save": Expected("/settings/mail", ADMIN, {"POST": 303}, {"act": "off"}),
    "jobs.run_now": Expected("/jobs/{job}/runs", ADMIN, {"POST": 303}, sees=ADMIN),
}

REDIRECTED = {
    **{("appointments.index", visitor): 303 for visitor in SIGNED_IN - PATIENTS},
    **{("sessions.sign_in", visitor): 303 for visitor in SIGNED_IN},
}
"""Users whom a GET redirects although others get a page: staff to Today, signed-in users to their home page."""
