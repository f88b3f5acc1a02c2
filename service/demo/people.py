"""The made-up people of the demo clinic, and texts about their appointments."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

ACCOUNTS = 100
"""How many patients can sign in. The others only have records."""
FAMILY = 10
"""With this many patients, some are related, and one has no address."""
PARENT, CHILD = 8, 9
"""The last digits of the index of a parent and of the child right after."""
DOMAIN = "demo.example"

DEPARTMENTS = (
    "General practice",
    "Paediatrics",
    "Cardiology",
    "Dermatology",
    "Orthopaedics",
    "Ear, nose and throat",
    "Neurology",
    "Ophthalmology",
)

FIRST_DOCTORS = (
    "Dr. Miriam Weiß",
    "Dr. Seán O'Brien",
    'Dr. Martin "Marty" Weiß',
    "Dr. Ирина Волкова",
    "Dr. Αθηνά Νικολάου",
    "Dr. José Núñez, MPH",
    "Dr. 陈丽华",
    "Dr. Åsa Lindström",
)
# Names, with given names where they were entered.
# Keep the order: the ninth and the tenth are parent and child, and the eighth may have no address.
FIRST_PATIENTS: tuple[tuple[str, str | None], ...] = (
    ("Lena Öztürk", "Lena"),
    ("=Ada Formula", None),
    ("Anna Maria\nvon der Heide", "Anna Maria"),
    ("Niamh O'Connor", "Niamh"),
    ("Robert Smith, Jr.", None),
    ("Алексей Смирнов", "Алексей"),
    ('Zoë "Zo" Brontë-Núñez', "Zoë"),
    ("Ελένη Παπαδοπούλου", "Ελένη"),
    ("Fatma Yıldız", "Fatma"),
    ("Deniz Yıldız", "Deniz"),
    ("ليلى حداد", "ليلى"),
    ("王小明", "小明"),
    ("נועה לוי", "נועה"),
    ("प्रिया शर्मा", "प्रिया"),
)


class VisitType(NamedTuple):
    """An appointment type of the demo clinic."""

    name: str
    minutes: int
    colour: int
    online: bool


class Wish(NamedTuple):
    """An entry on the demo clinic's waitlist."""

    patient_id: int
    part: str
    urgent: bool
    note: str


KINDS = (
    VisitType("Check-up", 15, 1, True),
    VisitType("Vaccination", 15, 3, True),
    VisitType("First visit", 30, 0, True),
    VisitType("Physiotherapy", 45, 5, True),
    VisitType("Change of dressing", 15, 6, False),
    VisitType("Minor surgery", 60, 2, False),
)
USUAL_TYPES = (None, None, None, 1, 2, 5)
"""The numbers of types that fit into a quarter of an hour. Half of the appointments have none."""
ALLERGIES = ("", "", "", "", "Penicillin", "", "", "", "", "Latex", "", "", "", "", "", "Bee venom", "")
WAITING = (
    Wish(2, "any", True, "Pain since Monday"),
    Wish(5, "morning", False, "Works in the afternoon"),
    Wish(7, "any", False, ""),
)


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(" ".join(lines).split())


LATIN = (
    _words(
        "Anna Bjørn Chloé Dmitar Élodie François Gisela Håkan Ines Jörg Katarína Łukasz Małgorzata",
        "Noël Ólafur Paula Quirin Renée Søren Thérèse Ümit Víctor Wiebke Ximena Yara Željko",
    ),
    _words(
        "Albrecht Böhm Çelik D'Angelo Dvořák Eriksson Fernández Großmann Hansen Ibáñez Jovanović Kowalczyk Lefèvre",
        "Müller Nguyễn O'Neill Østergaard Petrović Rossi Schäfer Szabó Țurcanu Vandenberghe Weißmann Yılmaz Żak",
    ),
)
OTHER_SCRIPTS = (
    (_words("Иван Мария Сергей Ольга Николай Дарья"), _words("Петренко Шевченко Коваленко Бондарь Ткаченко"), " "),
    (_words("Γιώργος Μαρία Νίκος Σοφία Κώστας Άννα"), _words("Αλεξίου Βασιλείου Γεωργίου Καρράς Λάππας"), " "),
    (_words("أحمد فاطمة يوسف مريم عمر سلمى"), _words("الخطيب النجار المصري الحلبي منصور"), " "),
    (_words("דוד שרה יעקב מרים אורי תמר"), _words("כהן מזרחי פרץ ביטון אברהם"), " "),
    (_words("अमित सुनीता राहुल अंजलि विकास मीरा"), _words("वर्मा गुप्ता सिंह पटेल जोशी"), " "),
    (_words("伟 芳 秀英 敏 静 建国"), _words("李 张 刘 杨 赵"), ""),
)
# Ranges that the Bundesnetzagentur reserves for films and books: these numbers reach nobody.
PHONES = (
    ("+493023125", 3),
    ("+496990009", 3),
    ("+494066969", 3),
    ("+492214710", 3),
    ("+498999998", 3),
    ("+4917139200", 2),
    ("+49176040690", 2),
)

REASONS = ("check-up", "follow-up", "vaccination", "new complaint", "test results", "prescription", "advice", "")
PATIENT_CANCELS = ("feeling better", "cannot get off work", "other appointment, sorry", "no childcare", "travelling")
CLINIC_CANCELS = ("doctor is ill", "emergency in the clinic", "device out of order")

VISIT_TYPES = ("Check-up", "Follow-up", "Acute visit", "Consultation", "Control", "Second opinion")
DURATIONS = ("since yesterday", "for three days", "for about a week", "for two months, on and off", "since the winter")
CARE = ("", ", control in two weeks", "; come back if it gets worse", ", sick note for three days")

# Symptoms, diagnosis, treatment, prescription.
CASES = (
    (
        (
            "sore throat, cough",
            "Acute upper respiratory infection",
            "Rest, plenty of fluids",
            "Ibuprofen 400 mg, 1-1-1",
        ),
        ("tiredness, pale skin", "Iron deficiency", "Blood count, diet advice", "Iron 100 mg, 1-0-0"),
        ("headache, neck pain", "Tension headache", "Stretching shown", "Paracetamol 500 mg as needed"),
        ("none", "Healthy adult", "Vaccination: tetanus, diphtheria", ""),
    ),
    (
        ("fever 39.2 °C, earache", "Otitis media", "Watchful waiting", "Ibuprofen syrup 2 %, 5 ml, max. 3 x a day"),
        ("barking cough at night", "Croup", "Cool air, calm", "Prednisolone 100 mg rectal, once"),
        ("itchy spots", "Chickenpox", "Keep nails short", "Zinc lotion"),
        ("none", "Development as expected", "Vaccination: measles, mumps, rubella", ""),
    ),
    (
        ("short of breath on stairs", "Heart failure, NYHA II", "ECG, echo", "Ramipril 2.5 mg, 1-0-1"),
        ("palpitations", "Atrial fibrillation", "24-hour ECG", "Bisoprolol 2.5 mg, 1-0-0\nApixaban 5 mg, 1-0-1"),
        ("none", "Essential hypertension", "Salt reduced, walking", "Amlodipine 5 mg, 1-0-0"),
    ),
    (
        ("itching, red elbows", "Atopic eczema", "Emollients twice a day", "Hydrocortisone 1 % cream"),
        ("scaly plaques", "Psoriasis vulgaris", "Light therapy", "Calcipotriol ointment, 0-0-1"),
        ("changed mole", "Naevus, benign", "Dermoscopy, photo taken", ""),
    ),
    (
        ("low back pain", 'Lumbago, no "red flags"', "Physiotherapy, 6 sessions", "Diclofenac gel"),
        ("knee swollen after football", "Sprain of the knee", "Brace, elevation", "Ibuprofen 600 mg, 1-0-1"),
        ("pain when lifting the arm", "Shoulder impingement", "Exercises, ice", ""),
    ),
    (
        ("blocked nose, facial pressure", "Acute sinusitis", "Steam, nasal rinse", "Xylometazoline 0.1 %, max. 7 days"),
        ("hearing worse on the left", "Cerumen", "Ear syringed", ""),
        ("dizzy when turning over", "Benign positional vertigo", "Epley manoeuvre", ""),
    ),
    (
        ("one-sided headache, light hurts", "Migraine without aura", "Headache diary", "Sumatriptan 50 mg as needed"),
        ("tingling fingers at night", "Carpal tunnel syndrome", "Splint at night", ""),
        ("trembling hand", "Essential tremor", "Observation", "Propranolol 40 mg, 1-0-1"),
    ),
    (
        ("gritty, tired eyes", "Dry eye", "Screen breaks", "Artificial tears, 5 x a day"),
        ("blurred far vision", "Myopia", "Glasses: -1.75 / -2.00", ""),
        ("red eye, sticky lids", "Conjunctivitis", "Hygiene explained", "Ofloxacin drops, 4 x a day"),
    ),
)
NOTES = (
    "=SUM(A1:A9)",
    "+ vitamin D in the winter months",
    "-5 kg since May",
    "@home exercises, 10 minutes a day",
    'Says: "much better than last time".',
    "Blood pressure 128/82, pulse 64, weight 71 kg",
    "Allergies: none known\nSmoker: no\nAlcohol: seldom",
    "Überweisung zum Röntgen, œdème exclu, контроль через месяц",
    "Letter to the family doctor sent.",
    "Understood the plan; no questions left.",
    "Medication unchanged, tolerated well.",
    "Brought older findings, copied.",
)


class Person(NamedTuple):
    """A patient record without an id."""

    name: str
    given_name: str | None
    email: str | None
    phone: str | None
    days_old: int
    """Their age in days when the clinic created its records."""


def doctor_name(index: int, rng: Random) -> str:
    """Return the name of the doctor at an index."""
    made_up = f"Dr. {rng.choice(LATIN[0])} {rng.choice(LATIN[1])}"
    return FIRST_DOCTORS[index] if index < len(FIRST_DOCTORS) else made_up


def department(doctor: int) -> int:
    """Return the index of a doctor's department."""
    return doctor % len(DEPARTMENTS)


def is_for_children(doctor: int) -> bool:
    """Return whether a doctor's patients are children."""
    return DEPARTMENTS[department(doctor)] == "Paediatrics"


def account(index: int) -> str:
    """Return the address with which a patient signs in."""
    return f"patient{index + 1}@{DOMAIN}"


def family(patients: int) -> tuple[int, int, int]:
    """Return a parent, a child with the same address, and a patient without one, if there are FAMILY or more.

    If everyone has an account, the last two still sign in with their own address; only their records differ.
    """
    first = ACCOUNTS if patients >= ACCOUNTS + FAMILY else 0
    return first + PARENT, first + CHILD, first + PARENT - 1


def everyone(patients: int, doctors: int, rng: Random) -> Iterator[Person]:
    """Yield all patients in the order of their ids."""
    parent = Person("", None, None, None, 0)
    for index in range(patients):
        person = _person(index, patients, doctors, rng, parent)
        yield person
        parent = person


def findings(number: int, of_department: int, note: int | None) -> dict[str, str]:
    """Return the texts of a treatment for a large random number. `note` selects a particular note."""
    cases = CASES[of_department]
    symptoms, diagnosis, treatment, prescription = cases[number % len(cases)]
    chosen = (number >> 32) % (3 * len(NOTES)) if note is None else note % len(NOTES)
    return {
        "visit_type": VISIT_TYPES[(number >> 8) % len(VISIT_TYPES)],
        "symptoms": symptoms if symptoms == "none" else f"{symptoms} {DURATIONS[(number >> 16) % len(DURATIONS)]}",
        "diagnosis": diagnosis,
        "treatment": treatment + CARE[(number >> 24) % len(CARE)],
        "prescription": prescription,
        "notes": NOTES[chosen] if chosen < len(NOTES) else "",
    }


def _person(index: int, patients: int, doctors: int, rng: Random, before: Person) -> Person:
    given, surname, space = _name_parts(rng)
    chance, is_child = rng.random(), index % 10 == CHILD
    if is_child and index >= len(FIRST_PATIENTS) and before.name.count(" ") == 1:
        surname, space = before.name.split(" ")[1], " "
    made_up = (f"{surname}{given}" if not space else f"{given} {surname}", given)
    name, given_name = FIRST_PATIENTS[index] if index < len(FIRST_PATIENTS) else made_up
    prefix, digits = rng.choice(PHONES)
    phone = f"{prefix}{rng.randrange(10**digits):0{digits}}"
    # Patients of the pediatrician are children, except for parents.
    young = is_child or (index % 10 != PARENT and is_for_children(index % doctors))
    return Person(
        name=name,
        given_name=given_name,
        email=_address(index, patients, chance, before.email),
        phone=None if index and chance > 0.88 else phone,
        days_old=rng.randrange(30, 5000) if young else rng.randrange(7000, 34000),
    )


def _name_parts(rng: Random) -> tuple[str, str, str]:
    """Return a given name, a last name, and what is between them."""
    given, surname, space = (*LATIN, " ") if rng.random() < 0.75 else rng.choice(OTHER_SCRIPTS)
    return rng.choice(given), rng.choice(surname), space


def _address(index: int, patients: int, chance: float, parents: str | None) -> str | None:
    parent, child, nowhere = family(patients)
    if patients >= FAMILY and index in (child, nowhere):
        return parents if index == child else None
    if index < ACCOUNTS:
        return account(index)
    if index % 10 == CHILD:
        return parents
    return f"contact{index + 1}@{DOMAIN}" if index == parent or chance >= 0.09 else None
