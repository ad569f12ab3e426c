"""A provider of OpenID Connect on loopback, whose next answer can be made wrong.

Run as a program: ``oidc_provider.py PORT``. Beside what oidc-provider-mock serves it checks
PKCE, and ``PUT /next`` says what is wrong with the ID token that it gives out next.
"""

import base64
import hashlib
import json
import sys
from urllib.parse import parse_qs, urlsplit

import flask
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from oidc_provider_mock import app as make

app = make(require_nonce=True, issue_refresh_token=False)
challenges = {}
wrong = {}
foreign = rsa.generate_private_key(65537, 2048)


@app.put("/next")
def say_next():
    wrong.clear()
    wrong.update(flask.request.get_json())
    return "", 204


@app.before_request
def check_verifier():
    if flask.request.path != "/oauth2/token":
        return None
    if wrong.get("away"):
        return "x" * 400_000
    verifier = flask.request.form.get("code_verifier", "")
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    if digest.rstrip(b"=").decode() != challenges.pop(flask.request.form.get("code"), None):
        return {"error": "invalid_grant"}, 400
    return None


@app.after_request
def alter(answer):
    if flask.request.path == "/oauth2/authorize" and "Location" in answer.headers:
        said = parse_qs(urlsplit(answer.headers["Location"]).query)
        challenges[said.get("code", [""])[0]] = flask.request.args["code_challenge"]
    if flask.request.path == "/oauth2/token" and answer.status_code == 200 and wrong:
        said = json.loads(answer.get_data())
        if "id_token" in said:
            said["id_token"] = altered(said["id_token"])
            answer.set_data(json.dumps(said))
    return answer


def altered(token):
    storage = flask.g.oidc_provider_mock_storage
    claims = jwt.decode(token, options={"verify_signature": False}) | wrong.get("claims", {})
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {k: v for k, v in jwt.get_unverified_header(token).items() if k == "kid"}
    alg = wrong.get("alg", "RS256")
    own = jwt.PyJWK(storage.jwk.as_dict(is_private=True) | {"alg": "RS256"}).key
    key = {"none": None, "HS256": "a secret of 32 bytes for this one", "foreign": foreign}
    signing = "RS256" if alg == "foreign" else alg
    return jwt.encode(claims, key.get(alg, own), algorithm=signing, headers=header)


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), debug=False, threaded=True)
