"""The board for a project's own URLconf: ``path("board/", include("workerd.urls"))``. The admin has it in any case."""

from django.urls import path

from .admin.board.page import board, board_live

app_name = "workerd"
urlpatterns = [path("", board, name="board"), path("live/", board_live, name="board_live")]
