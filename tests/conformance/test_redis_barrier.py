"""Items 51 and 52 of the conformance list: the flash sale's two-phase messages, whose barriers are on Redis."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from services.common import flow
from services.common.dtm.client import Dtm
from services.common.errors import SoldOut, Unavailable, UnknownOutcome
from services.common.grpc_server import GrpcServer
from services.common.ids import new_id
from services.common.pb.eshop.flash_sale.v1.branches_pb2 import DESCRIPTOR
from services.common.pb.eshop.flash_sale.v1.flash_sale_pb2 import BuyRequest, OpenRequest
from services.common.redis import Redis
from services.common.settings import RedisSettings
from services.flash_sale.branches import FlashSaleBranches
from services.flash_sale.sale import Sale

from .conftest import TARGETS
from .coordinators import free_port

pytestmark = pytest.mark.parametrize("target", TARGETS)


class Client(Dtm):
    """Keeps the gids of what it prepared."""

    def __init__(self, target):
        super().__init__("dtm", target)
        self.gids = []

    async def prepare(self, message):
        await super().prepare(message)
        self.gids.append(message.Gid)


class KilledBeforeSubmit(Client):
    async def submit(self, message):
        raise UnknownOutcome("the process is gone")


class AsleepAfterPrepare(Client):
    """Goes on when DTM has already asked, and heard that there was nothing."""

    async def prepare(self, message):
        await super().prepare(message)
        await self.asked(message.Gid)

    asked = None


class Shop:
    """The flash-sale service in this process, with one product. It is also the publisher: it keeps the order ids."""

    def __init__(self, redis, address):
        self.redis, self.address = redis, address
        self.product = secrets.randbelow(2**40)
        self.published = []

    async def publish(self, topic, messages):
        self.published += [key for key, _ in messages]

    def request(self):
        return BuyRequest(user_id=1, product_id=self.product, amount=1, order_id=new_id())

    async def sale(self, client, stock):
        sale = Sale(self.redis, client, self.address)
        await sale.open(OpenRequest(product_id=self.product, sale_id=1, stock=stock))
        return sale

    async def left(self):
        return int(await self.redis.client.get(flow.flash_stock(self.product, 1)))


@pytest.fixture
async def shop(stack):
    account, port = stack.redis(), free_port()
    redis = Redis(RedisSettings(redis_host=account.host, redis_port=account.port, redis_password=account.password))
    shop, server = Shop(redis, f"127.0.0.1:{port}"), GrpcServer(port)
    server.add_branches(DESCRIPTOR.services_by_name["FlashSaleBranches"], FlashSaleBranches(redis, shop))
    await server.start()
    yield shop
    await server.stop(1)
    keys = [key async for key in redis.client.scan_iter(f"{flow.flash_tag(shop.product)}*", count=1000)]
    await redis.client.delete(*keys)
    await redis.close()


async def test_one_unit_is_sold_once(target, dtms, shop):
    dtm = await dtms(target)
    client = Client(dtm.grpc_address)
    sale = await shop.sale(client, 1)
    answers = await asyncio.gather(*(sale.buy([shop.request()]) for _ in range(2)))
    (order,) = [answer for (answer,) in answers if isinstance(answer, str)]
    assert sum(isinstance(answer, SoldOut) for (answer,) in answers) == 1
    assert await ended(dtm, client) == ["failed", "succeed"]
    assert (await shop.left(), shop.published) == (0, [order])
    await client.close()


async def test_a_hundred_at_once_never_take_more_than_there_is(target, dtms, shop):
    dtm = await dtms(target)
    client = Client(dtm.grpc_address)
    sale = await shop.sale(client, 40)
    answers = await asyncio.gather(*(sale.buy([shop.request()]) for _ in range(100)))
    accepted = [answer for (answer,) in answers if isinstance(answer, str)]
    assert await ended(dtm, client) == ["failed"] * 60 + ["succeed"] * 40
    assert len(accepted) == 40
    assert (await shop.left(), sorted(shop.published)) == (0, sorted(accepted))
    await client.close()


@pytest.mark.slow
async def test_a_client_that_is_killed(target, dtms, shop):
    """Between local operation and submit: DTM asks, and it goes on. Before the local operation: it never can."""
    dtm = await dtms(target)
    killed, asleep = KilledBeforeSubmit(dtm.grpc_address), AsleepAfterPrepare(dtm.grpc_address)
    asleep.asked = lambda gid: dtm.until(gid, "failed", 25)
    sales = [await shop.sale(client, 2) for client in (killed, asleep)]
    late = asyncio.create_task(sales[1].buy([shop.request()]))
    (order,) = await sales[0].buy([shop.request()])
    await dtm.until(killed.gids[0], "succeed", 25)
    with pytest.raises(Unavailable):
        await late
    assert await dtm.status(asleep.gids[0]) == "failed"
    assert (await shop.left(), shop.published) == (1, [order])
    for client in (killed, asleep):
        await client.close()


async def ended(dtm, client):
    """The statuses, sorted, once nothing is unfinished."""
    async with asyncio.timeout(30):
        while True:
            statuses = sorted([await dtm.status(gid) for gid in client.gids])
            if set(statuses) <= {"failed", "succeed"}:
                return statuses
            await asyncio.sleep(0.2)
