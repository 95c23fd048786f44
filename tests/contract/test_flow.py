"""Every branch, topic and key of flow.py is served, and compensated or consumed; nothing is served that it lacks."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from services.common import flow
from services.common.kafka import BatchConsumer
from services.common.pb.eshop.order.v1.branches_pb2 import NewOrder
from services.common.rpc import handler_of
from services.flash_sale.sale import Sale, barrier_key
from services.flash_sale.scripts import BUY, OPEN
from services.order.placement import Placement
from tests.contract.wiring import names, wiring_of

ADDRESSES = {branch.service: f"{branch.service}:8282" for branch in flow.BRANCHES}
METHODS = [method for branch in flow.BRANCHES for method in (branch.action, branch.compensation) if method]


@pytest.fixture
async def wirings(monkeypatch):
    return {name: await wiring_of(name, monkeypatch) for name in names()}


def named_branches():
    return {name: value for name, value in vars(flow).items() if isinstance(value, flow.Branch)}


def test_every_branch_is_listed():
    assert set(flow.BRANCHES) == set(named_branches().values())
    assert len(set(METHODS)) == len(METHODS)


@pytest.mark.parametrize("branch", flow.BRANCHES, ids=lambda branch: branch.action)
async def test_a_branch_is_served_by_its_service(branch, wirings):
    served = wirings[branch.service].branches
    for path in filter(None, (branch.action, branch.compensation)):
        service, _, name = path.partition("/")
        descriptor, implementation = served[service]
        method = descriptor.methods_by_name[name]
        parameters = inspect.signature(handler_of(implementation, method)).parameters
        assert len(parameters) == 2  # the request, and DTM's call


async def test_every_branch_that_is_served_is_in_the_flow(wirings):
    served = [
        f"{service}/{method.name}"
        for wiring in wirings.values()
        for service, (descriptor, _) in wiring.branches.items()
        for method in descriptor.methods
    ]
    assert sorted(served) == sorted(METHODS)


@pytest.mark.parametrize(
    "branch", [branch for branch in flow.BRANCHES if branch.compensation], ids=lambda branch: branch.action
)
async def test_a_compensation_takes_what_its_action_takes(branch, wirings):
    """DTM sends both the same payload."""
    service, _, action = branch.action.partition("/")
    compensating, _, compensation = branch.compensation.partition("/")
    descriptor, _ = wirings[branch.service].branches[service]
    assert compensating == service
    assert descriptor.methods_by_name[action].input_type == descriptor.methods_by_name[compensation].input_type


@pytest.mark.parametrize("orders", [1, 2])
def test_every_step_of_the_saga_has_its_compensation(orders):
    request = Placement(None, None, None, ADDRESSES)._saga(
        [
            NewOrder(order_id=str(number), product_id=1, product_count=1, coupon_id=number + 1)
            for number in range(orders)
        ]
    )
    steps = json.loads(request.Steps)
    by_action = {f"{ADDRESSES[branch.service]}/{branch.action}": branch for branch in flow.BRANCHES}
    assert {by_action[step["action"]] for step in steps} == {branch for branch in flow.BRANCHES if branch.compensation}
    for step in steps:
        branch = by_action[step["action"]]
        assert step["compensate"] == f"{ADDRESSES[branch.service]}/{branch.compensation}"


def test_the_message_has_its_branch_and_its_query():
    request = Sale(None, None, ADDRESSES["flash_sale"])._message("{flash:1}-gid", 1)
    [step] = json.loads(request.Steps)
    assert step == {"action": f"flash_sale:8282/{flow.PUBLISH_ACCEPTED.action}"}
    assert request.QueryPrepared == f"flash_sale:8282/{flow.QUERY_PREPARED.action}"


async def test_every_order_topic_has_its_consumer(wirings):
    consumers = [
        resource for wiring in wirings.values() for resource in wiring.resources if isinstance(resource, BatchConsumer)
    ]
    assert sorted(topic for one in consumers for topic in one._topics) == sorted(flow.ORDER_TOPICS)
    assert {one._group for one in consumers} == {flow.PLACEMENT_GROUP}
    loops = [loop for wiring in wirings.values() for loop in wiring.loops.values()]
    assert all(one.run in loops for one in consumers)


def test_every_topic_is_created_with_its_dead_letters():
    assert set(flow.TOPICS) == {*flow.ORDER_TOPICS, *map(flow.dead_letter_topic, flow.ORDER_TOPICS)}


KEYS = {
    "flash_stock": flow.flash_stock,
    "flash_limit": flow.flash_limit,
    "flash_buyers": flow.flash_buyers,
    "flash_orders": flow.flash_orders,
}


def test_every_key_is_tried_here():
    others = {"flash_tag", "flash_pointer", "flash_accepted"}
    functions = {name for name, value in vars(flow).items() if inspect.isfunction(value) and name.startswith("flash_")}
    assert functions == KEYS.keys() | others


@pytest.mark.parametrize("key", KEYS)
def test_a_sales_key_is_the_one_that_the_scripts_use(key):
    """The scripts make the keys of the current sale themselves: its id is known to Redis alone."""
    tag, suffix = flow.flash_tag(7), KEYS[key](7, 9).removeprefix(f"{flow.flash_tag(7)}:9")
    assert KEYS[key](7, 9) == f"{tag}:9{suffix}"
    assert f"'{suffix}'" in BUY.text
    forgotten = re.search(r"ipairs\(\{(.*?)\}\)", OPEN.text)
    assert f"'{suffix}'" in forgotten[1]  # what a sale leaves is forgotten some time after it


def test_the_keys_of_a_product_share_a_slot():
    """Also the barrier of its messages: a script may touch one slot of a cluster only."""
    gid = f"{flow.flash_tag(7)}-gid"
    keys = [flow.flash_pointer(7), flow.flash_accepted(7, gid), barrier_key(gid), *(key(7, 9) for key in KEYS.values())]
    assert {re.search(r"\{(.*?)\}", key)[1] for key in keys} == {"flash:7"}
