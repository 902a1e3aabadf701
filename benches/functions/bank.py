# Bank accounts as maps with methods.
import measure


class Account:
    def __init__(self, owner):
        self.owner = owner
        self.balance = 0
        self.log = []

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("an amount above zero, please")
        self.balance += amount
        self.log.append(amount)

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError(f"{self.owner} has no {amount}")
        self.balance -= amount
        self.log.append(-amount)

    def fee(self, amount):
        return amount // 1000 + len(self.log) % 3


def job(n):
    accounts = []
    for i in range(10):
        accounts.append(Account(f"owner {i}"))
    refused = 0
    for i in range(n):
        source = i % 10
        target = i * 7 % 10
        try:
            accounts[target].deposit(i % 100 + 60)
            accounts[source].withdraw(i % 200 + accounts[source].fee(i))
        except ValueError:
            refused += 1
    total = 0
    for account in accounts:
        total += account.balance + len(account.log)
    return f"{total} {refused}"


if __name__ == "__main__":
    measure.main(job, 15000)
