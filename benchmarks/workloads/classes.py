"""Objects that talk to each other: attributes read and written, properties, methods, data classes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    price: float
    count: int = 1

    @property
    def total(self) -> float:
        return self.price * self.count


@dataclass
class Order:
    customer: Customer
    items: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.customer.spent += item.total

    def total(self) -> float:
        return sum(item.total for item in self.items)


class Customer:
    def __init__(self, name: str) -> None:
        self.name = name
        self.spent = 0.0
        self.orders: list[Order] = []

    def order(self) -> Order:
        order = Order(self)
        self.orders.append(order)
        return order


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x: float, y: float) -> None:
        self.x = x
        self.y = y

    def __add__(self, other: Vector) -> Vector:
        return Vector(self.x + other.x, self.y + other.y)

    def squared(self) -> float:
        return self.x * self.x + self.y * self.y


def inputs(size: int) -> list[tuple[str, str, float, int]]:
    return [(f"c{n % 10}", f"item{n}", n % 17 + 0.5, n % 4) for n in range(200 * size)]


def work(sold: list[tuple[str, str, float, int]]) -> tuple[list[tuple[str, float, float]], float]:
    customers: dict[str, Customer] = {}
    place = Vector(0.0, 0.0)
    for name, what, price, count in sold:
        customer = customers.get(name)
        if customer is None:
            customer = customers[name] = Customer(name)
        order = customer.orders[-1] if customer.orders and len(customer.orders[-1].items) < 5 else customer.order()
        order.add(Item(what, price, count))
        place = place + Vector(price, count)
    totals = [(c.name, c.spent, max(order.total() for order in c.orders)) for c in customers.values()]
    return totals, place.squared()
