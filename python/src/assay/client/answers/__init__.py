"""What the service answers, as types. A test holds them against openapi.json.

Fields that a newer service adds are left out.
"""
