"""Read models for screens and REST: each asks access first and shows only what the actor may know."""

from situation_center.views.base import quantity as quantity
from situation_center.views.card import card as card
from situation_center.views.card import command_row as command_row
from situation_center.views.groups import group as group
from situation_center.views.groups import groups as groups
from situation_center.views.groups import steps as steps
from situation_center.views.groups import zones as zones
from situation_center.views.health import health as health
from situation_center.views.objects import object_card as object_card
from situation_center.views.objects import search as search
from situation_center.views.orders import commands_list as commands_list
from situation_center.views.pipeline import pipeline as pipeline
from situation_center.views.pipeline import quarantined_bytes as quarantined_bytes
from situation_center.views.queue import assignees as assignees
from situation_center.views.queue import find as find
from situation_center.views.queue import organisations as organisations
from situation_center.views.queue import queue as queue
from situation_center.views.radio import device_radio as device_radio
from situation_center.views.registry import classes_in_use as classes_in_use
from situation_center.views.registry import profile_names as profile_names
from situation_center.views.registry import registry_page as registry_page
from situation_center.views.registry import registry_points as registry_points
from situation_center.views.series import points as points
from situation_center.views.service import service_page as service_page
from situation_center.views.strip import strip as strip
