"""`python -m appliance.live`: a worker, as the supervisor starts it."""

from appliance.live.worker import main

if __name__ == "__main__":
    main()
