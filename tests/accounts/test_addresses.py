"""What limits count an address by."""

import pytest

from cityverse.accounts.addresses import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", "local"),
        ("::ffff:127.0.0.1", "local"),
        ("::1", "local"),
        (None, "local"),
        ("", "local"),
        ("not an address", "local"),
    ],
)
def test_network(address, network):
    assert network_of(address) == network
