from tests import factories
from app.jobs.drain import drain


def test_smoke(app, smtp):
    a = factories.make_agency()
    u = factories.make_user(a)
    p = factories.make_property(a, u.id)
    factories.make_offer(p)
    n = drain()
    assert n == 2
