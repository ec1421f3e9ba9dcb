from jobs.schedules import mail_subject
from tests.unit.reports.test_pdf import content


def test_a_subject_counts_many_sites() -> None:
    many = content(sites=[f"A branch somewhere, number {number}" for number in range(60)])
    assert mail_subject(many).startswith("Satisface: 60 sites, 2 Nov 2026 to 5 Nov 2026: index ")
