"""Who asks in the tests of accounts, with which passwords, and a browser without a server."""

import asyncio

import httpx

from cityverse.accounts.accounts import Client

HERE = Client("192.0.2.7", "fr")
PASSWORD = "tomate courge poireau"
OTHER = "vélo brume canal neuf"


class Browser:
    """Asks an application itself, and keeps its cookies."""

    def __init__(self, app, address):
        self.app, self.address, self.cookies = app, address, httpx.Cookies()

    def request(self, method, url, **options):
        async def ask():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url=self.address, cookies=self.cookies
            ) as client:
                answer = await client.request(method, url, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def post(self, url, **options):
        return self.request("POST", url, **options)
