"""RetrainSchedules at the edges: reading what they depend on, carrying out their plans (plan/schedule.py decides)."""
