"""What is in the database, read without the code under test."""

from sqlalchemy import text


async def rows(database, statement, **values):
    async with database.begin() as session:
        return (await session.execute(text(statement), values)).all()
