"""Asks an ASGI application itself, without a server between."""

import asyncio

import httpx


class Client:
    """Requests to an application, each in an event loop of its own."""

    def __init__(self, app):
        self.app = app

    def request(self, method, url, **options):
        async def ask():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://testserver"
            ) as client:
                return await client.request(method, url, **options)

        return asyncio.run(ask())

    def post(self, url, **options):
        return self.request("POST", url, **options)

    def get(self, url, **options):
        return self.request("GET", url, **options)
