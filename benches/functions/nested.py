# Maps in maps, as JSON has them.
import measure


def order(i):
    items = []
    for k in range(i % 5 + 1):
        items.append({"sku": f"A{k}", "price": 0.5 * k + 1.0, "count": k + 1})
    return {
        "id": i,
        "customer": {"name": f"customer {i % 100}", "address": {"city": f"city {i % 10}", "zip": 10000 + i}},
        "items": items,
        "paid": i % 3 == 0,
    }


def value(order):
    sum = 0.0
    for item in order["items"]:
        sum += item["price"] * item["count"]
    return sum


def job(n):
    orders = []
    for i in range(n):
        orders.append(order(i))
    cities = {}
    unpaid = 0
    for o in orders:
        city = o["customer"]["address"]["city"]
        if city not in cities:
            cities[city] = {"orders": 0, "value": 0.0}
        cities[city]["orders"] += 1
        cities[city]["value"] += value(o)
        if not o["paid"]:
            unpaid += len(o["items"])
    best = cities["city 3"]
    return f"{len(cities)} {best['orders']} {best['value']} {unpaid}"


if __name__ == "__main__":
    measure.main(job, 10000)
