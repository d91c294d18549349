import time
def test_it(world, shop, rival):
    t=time.time(); d=world.digest(); print(len(d), time.time()-t)
    t=time.time(); assert d==world.digest(); print(time.time()-t)
    for c in ("receivables","point-entries","notifications","deliveries","shipments","reservations","stock-levels","point-accounts","tenants"):
        print(c, len(list(shop.api.all("/v1/"+c))))
    print(shop.api.send("GET","/v1/search?q=oolong"))
    print(world.suite.dead())
